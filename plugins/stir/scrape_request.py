# ruff: noqa: S608 -- SQL is built here from declarations checked in __post_init__, never from input
"""What a scrape-request DAG asks for, and the one query that picks whom it asks about.

A `ScrapeSource` declares flow, entity key, cool-down, failure rule, order and limit once. The payload, the exclusion
of recent attempts, the exclusion of persistent failures and the idempotency key all come from that declaration, so
they cannot disagree. Candidates come from a `.sql` file that knows nothing about requests: it returns the entity and
the payload columns. Spec: scrape_flows.md section 5, inventory decision 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from stir.warehouse import literal

REQUEST_EVENTS = "_e.scrape_request_log_events"
REQUEST_LOG = "dbt.stg_beat_scrape_request_log"
RECENT_REQUEST_LOG = "dbt.stg_beat_recent_scrape_request_log"
IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]*$")


@dataclass(frozen=True, kw_only=True)
class FailureRule:
    """When an entity is given up: at least `failures` FAILED requests and no COMPLETE one within `within`.

    Failures whose text begins with one of `ignored_beginnings` or contains one of `ignored_texts` say nothing about
    the entity (throttling, provider hiccups) and do not count. A failure without any text does count.
    """

    failures: int
    within: timedelta
    ignored_beginnings: tuple[str, ...] = ("(204", "(409", "(429")
    ignored_texts: tuple[str, ...] = ("NoneType",)

    def counts(self, column: str) -> str:
        """SQL condition: the outcome text in `column` (nullable) is a failure that counts."""
        ignored = [f"startsWith(ifNull({column}, ''), {literal(text)})" for text in self.ignored_beginnings]
        ignored += [f"position(ifNull({column}, ''), {literal(text)}) > 0" for text in self.ignored_texts]
        return f"not ({' or '.join(ignored)})" if ignored else "true"


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Several entities in one request: `param` holds a list of up to `size` of them."""

    param: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ScrapeSource:
    """One source of scrape requests.

    `entity_key` is the path of the entity in the request's params (`("shortcode",)`, `("data", "handle")`); its last
    element is also the candidate query's column. `payload_columns` are further columns that become params of the
    same name; `fixed_params` are the same in every request. With `batching`, params hold only the list of entities
    and the fixed ones.
    `cool_down` None means that earlier attempts do not matter. `attempts_in_cool_down` distinct requests within it
    exclude.
    `order` is SQL over the candidate query's columns; the entity is always the last tie-break. `backlog_limit`: with
    so many requests of this flow waiting at Beat for up to an hour, a run sends nothing.
    """

    flow: str
    platform: str
    entity_key: tuple[str, ...]
    candidates: Path
    limit: int
    order: str
    cool_down: timedelta | None
    failure_rule: FailureRule | None = None
    payload_columns: tuple[str, ...] = ()
    fixed_params: Mapping[str, Any] = field(default_factory=dict)
    batching: Batching | None = None
    attempts_in_cool_down: int = 1
    backlog_limit: int | None = None

    def __post_init__(self) -> None:
        for name in (self.flow, *self.entity_key, *self.payload_columns):
            if not IDENTIFIER.match(name):
                raise ValueError(f"scrape source {self.flow!r}: {name!r} is not a lower-case identifier")
        if self.limit < 1:
            raise ValueError(f"scrape source {self.flow}: limit must be at least 1, not {self.limit}")

    @property
    def entity_column(self) -> str:
        """Column of the candidate query that holds the entity."""
        return self.entity_key[-1]

    def query(self, limit: int) -> str:
        """The whole SELECT: candidates of the file, minus recent attempts and persistent failures, ordered and limited.

        Raises FileNotFoundError that names the missing candidate file.
        """
        entity = self.entity_column
        steps = [f"candidates as (\n{indent(self.candidate_sql())}\n)"]
        conditions = [f"ifNull(toString({entity}), '') != ''"]
        if self.cool_down is not None:
            steps.append(f"recently_requested as (\n{indent(self.recent_sql())}\n)")
            conditions.append(f"toString({entity}) not in (select entity from recently_requested)")
        if self.failure_rule is not None:
            steps.append(f"given_up as (\n{indent(self.given_up_sql())}\n)")
            conditions.append(f"toString({entity}) not in (select entity from given_up)")
        steps.append(
            # The same entity may stand in several collections: the first by the declared order is the one that is sent.
            f"one_each as (\n    select *\n    from candidates\n    where {' and '.join(conditions)}\n"
            f"    order by {self.order}, {entity}\n    limit 1 by {entity}\n)"
        )
        columns = ", ".join((entity, *self.payload_columns))
        return (
            f"with {', '.join(steps)}\nselect {columns}\nfrom one_each\norder by {self.order}, {entity}\nlimit {limit}"
        )

    def candidate_sql(self) -> str:
        """The candidate query as it stands in its file, without a closing semicolon."""
        return self.candidates.read_text(encoding="utf-8").strip().rstrip(";")

    def recent_sql(self) -> str:
        """Entities requested within the cool-down, whatever became of it, from the request events (seconds old)."""
        seconds = int(self.cool_down.total_seconds()) if self.cool_down else 0
        return (
            f"select {self._entity_in('params')} as entity\n"
            f"from {REQUEST_EVENTS}\n"
            f"where flow = {literal(self.flow)} and event_timestamp >= now('UTC') - interval {seconds} second\n"
            f"group by entity\nhaving uniqExact(scl_id) >= {self.attempts_in_cool_down}"
        )

    def given_up_sql(self) -> str:
        """Entities of the failure rule, from the staging model of Beat's request log (one row per request id)."""
        rule = self.failure_rule
        if rule is None:
            raise ValueError(f"scrape source {self.flow} has no failure rule")
        entity = self._entity_in("ifNull(params, '')")
        return (
            f"select {entity} as entity\n"
            f"from {REQUEST_LOG} final\n"
            f"where flow = {literal(self.flow)} "
            f"and created_at >= now('UTC') - interval {int(rule.within.total_seconds())} second\n"
            f"group by entity\n"
            f"having uniqExactIf(id, status = 'FAILED' and {rule.counts('data')}) >= {rule.failures}\n"
            f"    and countIf(status = 'COMPLETE') = 0"
        )

    def backlog_sql(self) -> str:
        """One row, one column `waiting`: requests of this flow of the last hour that Beat has not finished."""
        return (
            "select count() as waiting from (\n"
            f"    select scl_id from {REQUEST_EVENTS}\n"
            f"    where flow = {literal(self.flow)} and event_timestamp >= now('UTC') - interval 1 hour\n"
            "    group by scl_id having countIf(status in ('COMPLETE', 'FAILED')) = 0\n)"
        )

    def payloads(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Entity text and params of each request, from candidate rows read by column name.

        Raises ValueError that names the column a candidate query does not return.
        """
        if self.batching:
            batch: list[str] = []
            for row in rows:
                batch.append(str(self._value(row, self.entity_column)))
                if len(batch) == self.batching.size:
                    yield self._batch(batch)
                    batch = []
            if batch:
                yield self._batch(batch)
            return
        for row in rows:
            params: dict[str, Any] = dict(self.fixed_params)
            inner = params
            for step in self.entity_key[:-1]:
                inner = inner.setdefault(step, {})
            for column in (self.entity_column, *self.payload_columns):
                inner[column] = self._value(row, column)
            yield str(row[self.entity_column]), params

    def idempotency_key(self, entity: str, moment: datetime) -> str:
        """The same for one flow and entity throughout one window of the cool-down's length (an hour without a
        cool-down).

        Two legitimate requests are at least a cool-down apart and so never share a window.
        """
        seconds = int((self.cool_down or timedelta(hours=1)).total_seconds())
        window = int(moment.timestamp()) // seconds
        return sha256(f"{self.platform}|{self.flow}|{entity}|{window}".encode()).hexdigest()

    def _batch(self, entities: list[str]) -> tuple[str, dict[str, Any]]:
        assert self.batching is not None
        return ",".join(entities), {**self.fixed_params, self.batching.param: list(entities)}

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        try:
            return row[column]
        except KeyError:
            raise ValueError(
                f"{self.candidates.name}: the query returns no column {column!r} (it has {', '.join(row)}), which the "
                f"declaration of flow {self.flow} needs"
            ) from None

    def _entity_in(self, params: str) -> str:
        """SQL: the entity of a logged request, read from its params by the same path that the payload uses."""
        if self.batching:
            return f"arrayJoin(JSONExtract({params}, {literal(self.batching.param)}, 'Array(String)'))"
        path = ", ".join(literal(step) for step in self.entity_key)
        # Raw, then unquoted: an entity may be logged as text or as a number.
        return (
            f"if(JSONType({params}, {path}) = 'String', JSONExtractString({params}, {path}), "
            f"JSONExtractRaw({params}, {path}))"
        )


def indent(sql: str, by: str = "    ") -> str:
    """Shift a block of SQL to the right."""
    return "\n".join(by + line if line else line for line in sql.splitlines())
