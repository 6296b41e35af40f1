"""What a scrape-request DAG is going to ask for, found out beside it: its declared query over the databases as they
are, asked by another client than the DAG's.

All DAGs of a sweep run at once, and what they do changes what is due: the same entity may be another DAG's too, a
scrape brings events that make or end work. So beside the requests that are due, the entities are kept that could
become due in the meantime for a reason that can be named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from running_platform import RunningPlatform
from stir.beat_client import ScrapeRequest
from stir.scrape_request import ScrapeSource

SWEEP = timedelta(minutes=45)
"""Longer than a sweep may take: a cool-down that ends within it may end before the DAG looks."""


@dataclass(frozen=True)
class Asked:
    """One source of a DAG before its run. `params` are those of each request that is due, `due` their entities;
    `candidates` all entities of its candidate query, `soon` those that are due before the sweep can have ended.
    """

    source: ScrapeSource
    params: list[dict[str, Any]]
    due: set[str]
    candidates: set[str]
    soon: set[str]

    def missing(self, asked: set[str], candidates_now: set[str]) -> set[str]:
        """Entities that were due, are candidates still, and were not asked for."""
        return (self.due - asked) & candidates_now

    def explains(self, candidates_now: set[str]) -> set[str]:
        """Entities that this source may have asked for."""
        return self.due | self.soon | (candidates_now - self.candidates)


def asked_by(dag: Any) -> Iterator[ScrapeSource]:
    """Sources of a DAG's tasks."""
    for task in dag.tasks:
        source = getattr(task, "op_kwargs", {}).get("source")
        if isinstance(source, ScrapeSource):
            yield source


def of(platform: RunningPlatform, source: ScrapeSource) -> Asked:
    """What a source asks for now, or soon."""
    due = _requests(platform, source, source.limit)
    soon = _requests(platform, _later(source), source.limit * 10)
    return Asked(
        source=source,
        params=due,
        due=entities(source, due),
        candidates=candidates(platform, source),
        soon=entities(source, soon),
    )


def candidates(platform: RunningPlatform, source: ScrapeSource) -> set[str]:
    """Entities of the candidate query, whatever was asked about them before."""
    condition = f"where {source.condition}" if source.condition else ""
    keys = ", ".join(source.key_columns)
    rows = platform.rows(f"with c as (\n{source.candidate_sql()}\n) select distinct {keys} from c {condition}")
    return {"|".join(str(row[key]) for key in source.key_columns) for row in rows}


def entities(source: ScrapeSource, requests: list[dict[str, Any]]) -> set[str]:
    """Whom requests ask about, read from their params as Beat reads them."""
    if source.batching:
        return {str(entity) for params in requests for entity in params.get(source.batching.param, ())}
    return {_entity(source, params) for params in requests}


def _entity(source: ScrapeSource, params: Mapping[str, Any]) -> str:
    for step in source.entity_key[:-1]:
        params = params.get(step, {})
    return "|".join(str(params.get(key)) for key in source.key_columns)


def _requests(platform: RunningPlatform, source: ScrapeSource, limit: int) -> list[dict[str, Any]]:
    rows = platform.rows(source.query(limit))
    requests = [ScrapeRequest(source.flow, source.platform, params, "", "") for _, params in source.payloads(rows)]
    return [json.loads(request.body())["params"] for request in requests]


def _later(source: ScrapeSource) -> ScrapeSource:
    """The source as it will be when a sweep has ended: what was tried, and what failed, lies so much further back."""

    def shorter(span: timedelta | None) -> timedelta | None:
        return span and max(span - SWEEP, timedelta(seconds=1))

    rule = source.failure_rule
    return replace(
        source,
        cool_down=shorter(source.cool_down),
        retry_failed_after=shorter(source.retry_failed_after),
        failure_rule=rule and replace(rule, within=shorter(rule.within)),
    )
