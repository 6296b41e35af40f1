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
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from stir.accepted_requests import ACCEPTED_REQUESTS
from stir.warehouse import literal

REQUEST_EVENTS = "_e.scrape_request_log_events"
REQUEST_LOG = "dbt.stg_beat_scrape_request_log"
IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]*$")
TABLE = re.compile(r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")
ALONE = "asked_alone"
"""Column of a batched source's query: 1 for an entity that must not share a request."""


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
    """Several entities in one request: `param` holds a list of up to `size` of them.

    With a failure rule, an entity whose requests have only failed is asked for alone: so a bad one is told from its
    neighbours, which succeed and are free of blame.

    With `by`, a request holds only entities whose rows agree in these columns (the stories of one profile). The
    columns in `by` are params too, as are the payload columns, which are read from the group's first row; and the
    limit of a run counts groups instead of entities.
    """

    param: str
    size: int
    by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScrapeSource:
    """One source of scrape requests.

    `candidates` is a query file; `condition` is SQL over its columns, for sources that share one file. A row is chosen
    when the condition holds.

    What is asked about: `entity_key` is the path of the entity in the request's params (`("shortcode",)`,
    `("data", "handle")`); its last element is also the candidate query's column. Where one value does not name the
    entity (a category in a language), `further_keys` are the columns that do so together with it; they stand beside
    it in the params and may be empty, but not NULL.

    What is sent: `payload_columns` are columns that become params of the same name, beside the entity;
    `optional_columns` too, but where they are NULL the param is left out. `fixed_params` are the same in every
    request. With `batching`, params hold the list of entities, the fixed ones, and what `batching.by` allows.

    Who is left out: whoever was asked about within `cool_down`, whatever became of it (None: earlier attempts do not
    matter): what counts are Beat's events, and the requests that it has accepted from us. `attempts_in_cool_down`
    distinct requests within it exclude. A request that ended FAILED excludes only for `retry_failed_after`, if that is
    set. Requests of `counted_flows`, which do the same work under another name and
    keep the entity at the same place, count like those of `flow`. `failure_rule` gives up on entities.

    How much: `order` is SQL over the candidate query's columns; the entity is always the last tie-break.
    `backlog_limit`: with so many requests of this flow waiting at Beat for up to an hour, a run sends nothing.
    `lists` are tables kept by hand of which candidates are made: a run says so when all of them are empty.
    """

    flow: str
    platform: str
    entity_key: tuple[str, ...]
    candidates: Path
    limit: int
    order: str
    cool_down: timedelta | None
    failure_rule: FailureRule | None = None
    condition: str = ""
    further_keys: tuple[str, ...] = ()
    payload_columns: tuple[str, ...] = ()
    optional_columns: tuple[str, ...] = ()
    fixed_params: Mapping[str, Any] = field(default_factory=dict)
    batching: Batching | None = None
    attempts_in_cool_down: int = 1
    retry_failed_after: timedelta | None = None
    counted_flows: tuple[str, ...] = ()
    backlog_limit: int | None = None
    lists: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.flow, *self.counted_flows, *self.entity_key, *self.columns):
            if not IDENTIFIER.match(name):
                raise ValueError(f"scrape source {self.flow!r}: {name!r} is not a lower-case identifier")
        for table in self.lists:
            if not TABLE.match(table):
                raise ValueError(f"scrape source {self.flow}: list {table!r} is not of the form database.table")
        for name, value in (("limit", self.limit), ("attempts_in_cool_down", self.attempts_in_cool_down)):
            if value < 1:
                raise ValueError(f"scrape source {self.flow}: {name} must be at least 1, not {value}")
        if self.retry_failed_after and not (self.cool_down and self.retry_failed_after < self.cool_down):
            raise ValueError(f"scrape source {self.flow}: retry_failed_after must be shorter than the cool-down")
        if self.batching and self.batching.size < 1:
            raise ValueError(f"scrape source {self.flow}: a batch must hold at least 1, not {self.batching.size}")
        if self.batching and (self.further_keys or (len(self.columns) > 1 and not self.batching.by)):
            raise ValueError(
                f"scrape source {self.flow}: a batch has no place for further_keys, and for payload columns only when "
                "batching.by says which rows share them"
            )

    @property
    def entity_column(self) -> str:
        """Column of the candidate query that holds the entity."""
        return self.entity_key[-1]

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns of the candidate query that together name the entity."""
        return (self.entity_column, *self.further_keys)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the candidate query that a request is made of."""
        by = self.batching.by if self.batching else ()
        return tuple(dict.fromkeys((*self.key_columns, *by, *self.payload_columns, *self.optional_columns)))

    def query(self, limit: int) -> str:
        """The whole SELECT: candidates of the file, minus recent attempts and persistent failures, ordered and limited.

        Raises FileNotFoundError that names the missing candidate file.
        """
        keys = ", ".join(self.key_columns)
        entity = joined(f"toString({column})" for column in self.key_columns)
        steps = [f"candidates as (\n{indent(self.candidate_sql())}\n)"]
        conditions = [f"ifNull(toString({self.entity_column}), '') != ''"]
        conditions += [f"{column} is not null" for column in self.further_keys]
        conditions += [f"({self.condition})"] if self.condition else []
        if self.cool_down is not None:
            steps.append(f"recently_requested as (\n{indent(self.recent_sql())}\n)")
            conditions.append(f"{entity} not in (select entity from recently_requested)")
        if self.failure_rule is not None:
            steps.append(f"given_up as (\n{indent(self.given_up_sql())}\n)")
            conditions.append(f"{entity} not in (select entity from given_up)")
        steps.append(
            # The same entity may stand in several collections: the first by the declared order is the one that is sent.
            f"one_each as (\n    select *\n    from candidates\n    where {' and '.join(conditions)}\n"
            f"    order by {self.order}, {keys}\n    limit 1 by {keys}\n)"
        )
        chosen = f"select {', '.join(self.columns)}\n"
        if self.batching and self.failure_rule and not self.batching.by:
            steps.append(f"has_failed as (\n{indent(self.failed_sql(1))}\n)")
            chosen = f"select {keys}, {entity} in (select entity from has_failed) as {ALONE}\n"
        if self.batching and self.batching.by:
            steps += self.grouping_steps(keys)
            return (
                f"with {', '.join(steps)}\n{chosen}from numbered\n"
                f"where group_number <= {limit}\norder by group_number, place"
            )
        return f"with {', '.join(steps)}\n{chosen}from one_each\norder by {self.order}, {keys}\nlimit {limit}"

    def rules(self) -> str:
        """How often and how much is asked, and who is left out, in words (for the page of the DAG)."""
        of_what = "requests" if self.batching and self.batching.by else "entities"
        sentences = [f"Flow `{self.flow}`: at most {self.limit} {of_what} a run"]
        if self.cool_down is None:
            sentences.append("No cool-down: earlier requests do not matter")
        else:
            attempts = f"{self.attempts_in_cool_down} requests" if self.attempts_in_cool_down > 1 else "one request"
            also = f", those of {' and '.join(f'`{flow}`' for flow in self.counted_flows)} count too"
            sentences.append(f"At most {attempts} in {in_words(self.cool_down)}{also if self.counted_flows else ''}")
        if self.retry_failed_after:
            sentences.append(f"One that failed counts for {in_words(self.retry_failed_after)} only")
        if rule := self.failure_rule:
            beginnings = ", ".join(f"`{text}`" for text in rule.ignored_beginnings)
            texts = ", ".join(f"`{text}`" for text in rule.ignored_texts)
            ignored = [f"begin with {beginnings}"] * bool(beginnings) + [f"contain {texts}"] * bool(texts)
            sentences.append(
                f"Given up after {rule.failures} failures without a success in {in_words(rule.within)}"
                + (f", not counting failures that {' or '.join(ignored)}" if ignored else "")
            )
        if self.backlog_limit is not None:
            sentences.append(f"Nothing is sent while {self.backlog_limit} requests of the last hour wait at Beat")
        return ". ".join(sentences) + "."

    def grouping_steps(self, keys: str) -> list[str]:
        """CTEs that number the groups of a batch: the group of the first row is the first."""
        by = ", ".join(self.batching.by) if self.batching else keys
        return [
            f"placed as (select *, row_number() over (order by {self.order}, {keys}) as place from one_each)",
            f"grouped as (select *, min(place) over (partition by {by}) as group_place from placed)",
            "numbered as (select *, dense_rank() over (order by group_place) as group_number from grouped)",
        ]

    def candidate_sql(self) -> str:
        """The candidate query as it stands in its file, without a closing semicolon."""
        return self.candidates.read_text(encoding="utf-8").strip().rstrip(";")

    def recent_sql(self) -> str:
        """Entities requested within the cool-down, from the request events and from what Beat has accepted lately."""
        entity, attempts = self._entity_in("params"), self.attempts_in_cool_down
        asked = f"from (\n{indent(self._asked_sql((self.flow, *self.counted_flows), ago(self.cool_down)))}\n)"
        if self.retry_failed_after is None:
            return f"select {entity} as entity\n{asked}\ngroup by entity\nhaving uniqExact(scl_id) >= {attempts}"
        requests = (
            f"select {entity} as entity, max(event_timestamp) as last_event,\n"
            f"    countIf(status = 'FAILED') > 0 and countIf(status = 'COMPLETE') = 0 as has_failed\n"
            f"{asked}\ngroup by entity, scl_id"
        )
        return (
            f"select entity\nfrom (\n{indent(requests)}\n)\n"
            f"where not has_failed or last_event >= {ago(self.retry_failed_after)}\n"
            f"group by entity\nhaving count() >= {attempts}"
        )

    def given_up_sql(self) -> str:
        """Entities of the failure rule."""
        return self.failed_sql(self.failure_rule.failures if self.failure_rule else 0)

    def failed_sql(self, failures: int) -> str:
        """Entities with so many failures that the rule counts, and no success, from the staging model of Beat's request
        log (one row per request id).
        """
        rule = self.failure_rule
        if rule is None:
            raise ValueError(f"scrape source {self.flow} has no failure rule")
        entity = self._entity_in("ifNull(params, '')")
        return (
            f"select {entity} as entity\n"
            f"from {REQUEST_LOG} final\n"
            f"where flow = {literal(self.flow)} and created_at >= {ago(rule.within)}\n"
            f"group by entity\n"
            f"having uniqExactIf(id, status = 'FAILED' and {rule.counts('data')}) >= {failures}\n"
            f"    and countIf(status = 'COMPLETE') = 0"
        )

    def backlog_sql(self) -> str:
        """One row, one column `waiting`: requests of this flow of the last hour that Beat has not finished, whether
        their events have arrived or not.
        """
        asked = self._asked_sql((self.flow,), "now('UTC') - interval 1 hour")
        return (
            f"select count() as waiting from (\n    select scl_id from (\n{indent(asked, ' ' * 8)}\n    )\n"
            "    group by scl_id having countIf(status in ('COMPLETE', 'FAILED')) = 0\n)"
        )

    def _asked_sql(self, flows: Iterable[str], since: str) -> str:
        """SQL: scl_id, params, status, event_timestamp of the requests of some flows: their events, and once more those
        that Beat has accepted, since the events may be late. The number at Beat says which belong together; a
        request without one stands for itself.
        """
        # Platform and flow are the first columns that both tables are sorted by.
        condition = (
            f"platform = {literal(self.platform)} and flow in ({', '.join(literal(flow) for flow in flows)})\n    and "
        )
        return (
            f"select scl_id, params, status, event_timestamp\nfrom {REQUEST_EVENTS}\n"
            f"where {condition}event_timestamp >= {since}\n"
            "union all\n"
            "select if(scl_id = 0, cityHash64(params, accepted_at), scl_id), params, 'ACCEPTED', "
            "toDateTime(accepted_at, 'UTC')\n"
            f"from {ACCEPTED_REQUESTS}\nwhere {condition}accepted_at >= {since}"
        )

    def payloads(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Entity text and params of each request, from candidate rows read by column name.

        Raises ValueError that names the column a candidate query does not return.
        """
        if self.batching:
            yield from self._batches(rows, self.batching)
            return
        for row in rows:
            params: dict[str, Any] = deepcopy(dict(self.fixed_params))
            inner = params
            for step in self.entity_key[:-1]:
                inner = inner.setdefault(step, {})
            inner.update(self._params(row, (*self.key_columns, *self.payload_columns)))
            yield "|".join(str(row[column]) for column in self.key_columns), params

    def idempotency_key(self, entity: str, moment: datetime) -> str:
        """The same for one flow and entity throughout one window as long as the shortest time between two requests that
        are both meant, so that these never share a window.

        That time is the cool-down, or after a failure `retry_failed_after`; an hour without a cool-down or where it
        allows several attempts.
        """
        shortest = self.retry_failed_after or self.cool_down or timedelta(hours=1)
        if self.attempts_in_cool_down > 1:
            shortest = min(shortest, timedelta(hours=1))
        window = int(moment.timestamp()) // int(shortest.total_seconds())
        return sha256(f"{self.platform}|{self.flow}|{entity}|{window}".encode()).hexdigest()

    def _batches(self, rows: Iterable[Mapping[str, Any]], batching: Batching) -> Iterator[tuple[str, dict[str, Any]]]:
        def group_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
            return (is_alone(row), *(self._value(row, column) for column in batching.by))

        def is_alone(row: Mapping[str, Any]) -> bool:
            return bool(row.get(ALONE))

        # The query returns the rows of a group side by side; sorting keeps their order.
        for group, members in groupby(sorted(rows, key=is_alone), key=group_of):
            for batch in batched(members, 1 if group[0] else batching.size):
                entities = [str(self._value(row, self.entity_column)) for row in batch]
                shared = self._params(batch[0], (*batching.by, *self.payload_columns)) if batching.by else {}
                yield ",".join(entities), {**deepcopy(dict(self.fixed_params)), **shared, batching.param: entities}

    def _params(self, row: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
        params = {column: self._value(row, column) for column in columns}
        optional = {column: self._value(row, column) for column in self.optional_columns}
        return params | {column: value for column, value in optional.items() if value is not None}

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
        paths = (", ".join(literal(step) for step in (*self.entity_key[:-1], column)) for column in self.key_columns)
        # Raw, then unquoted: an entity may be logged as text or as a number.
        return joined(
            f"if(JSONType({params}, {path}) = 'String', JSONExtractString({params}, {path}), "
            f"JSONExtractRaw({params}, {path}))"
            for path in paths
        )


def in_words(span: timedelta) -> str:
    """A time span in the largest unit that fits: `3 days`, `20 hours`, `30 minutes`."""
    seconds = int(span.total_seconds())
    size, unit = next((pair for pair in ((86400, "day"), (3600, "hour")) if seconds % pair[0] == 0), (60, "minute"))
    return f"{seconds // size} {unit}{'' if seconds == size else 's'}"


def joined(texts: Iterable[str]) -> str:
    """SQL: one text of several text expressions."""
    return " || '|' || ".join(texts)


def ago(span: timedelta | None) -> str:
    """SQL: the moment that lies `span` in the past, UTC."""
    return f"now('UTC') - interval {int(span.total_seconds()) if span else 0} second"


def batched(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Lists of up to `size` rows. (itertools.batched needs Python 3.12.)"""
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch


def indent(sql: str, by: str = "    ") -> str:
    """Shift a block of SQL to the right."""
    return "\n".join(by + line if line else line for line in sql.splitlines())
