"""The task of a message DAG: one message for each row of a query, each id at most once per cool-down.

What was sent is recorded in ClickHouse table `stir.published_messages` (created here if missing), which outlives
Airflow's own database and can be queried beside the data: who was told about what, when, by which run. The record is
written after the broker's confirmation, every hundred messages and when a message fails: a task that is killed may
repeat its last hundred, and never loses one.
Spec: events.yml `stir_dags_publish`, inventory decision 11.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Param

from stir.platform_variables import PlatformVariable
from stir.run_page import left_behind
from stir.warehouse import literal

log = logging.getLogger(__name__)

POOL = "rabbitmq"
SENT_MESSAGES = "stir.published_messages"
RECORD_EVERY = 100
ON_FAILURE = """
What was confirmed before the failure is recorded and is not sent again; the retry or the next run sends the rest. "No
queue is bound" means that the consumer's service has not declared its queue: tell its owner. RabbitMQ away: nothing
to do once it is back.
"""
SHOWN_IN_DRY_RUN = 20
IDENTITY = "message_identity"
IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]*$")

DDL = (
    "create database if not exists stir",
    f"""
    create table if not exists {SENT_MESSAGES}
    (
        source LowCardinality(String) comment 'DAG that published',
        id String comment 'what the message is about: the id of the row, and further keys of its source after |',
        exchange LowCardinality(String),
        routing_key LowCardinality(String),
        run_id String,
        published_at DateTime64(3, 'UTC') comment 'when the broker confirmed'
    )
    engine = MergeTree
    partition by toYYYYMM(published_at)
    order by (source, id, published_at)
    ttl toDateTime(published_at) + interval 180 day
    comment 'Messages that DAGs have published to RabbitMQ, for cool-downs and for looking up'
    """,
)


@dataclass(frozen=True)
class Column:
    """In a payload: the value that the candidate query's column of this name has in the row."""

    name: str


Payload = Mapping[str, Any]
"""The shape of a JSON object: each value is a Column, another such shape, or a constant."""


@dataclass(frozen=True, kw_only=True)
class MessageSource:
    """One source of messages.

    `candidates` is a query file that returns `id_column`, the columns of `payload` and those that `order` (SQL) needs.
    Without a `payload` the body is the bare JSON scalar of the id. The query may use the values of `variables`, each by
    its name: `%(name)s`; a literal percent sign is then written twice.

    An id that was published by this source within `cool_down` is left out *before* the limit, so rows that never get
    fixed cannot block newer ones. `further_keys` are columns that say, together with the id, what was told: when one of
    them changes there is something new to tell, and the cool-down of the old values does not hold.

    With the default exchange ("") the routing key is the name of a queue, which is declared when it does not exist yet.
    """

    name: str
    exchange: str
    routing_key: str
    candidates: Path
    id_column: str
    limit: int
    order: str
    cool_down: timedelta
    further_keys: tuple[str, ...] = ()
    payload: Payload | None = None
    variables: tuple[PlatformVariable, ...] = ()

    def __post_init__(self) -> None:
        for name in self.columns:
            if not IDENTIFIER.match(name):
                raise ValueError(f"message source {self.name}: {name!r} is not a lower-case identifier")
        if self.limit < 1:
            raise ValueError(f"message source {self.name}: limit must be at least 1, not {self.limit}")
        if self.cool_down <= timedelta(0):
            raise ValueError(f"message source {self.name}: without a cool-down every run would repeat every message")

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that together name what is told."""
        return (self.id_column, *self.further_keys)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the candidate query must return."""
        return tuple(dict.fromkeys((*self.keys, *columns_of(self.payload or {}))))

    def query(self, limit: int) -> str:
        """The whole SELECT: candidates without NULL ids and without those in cool-down, one row per key, ordered,
        limited. Column `message_identity` holds the key as text.
        """
        sql = self.candidates.read_text(encoding="utf-8").strip().rstrip(";")
        seconds = int(self.cool_down.total_seconds())
        identity = " || '|' || ".join(f"ifNull(toString({column}), '')" for column in self.keys)
        keys = ", ".join(self.keys)
        return (
            f"with candidates as (\n{sql}\n), cooling_down as (\n"  # noqa: S608
            f"    select id from {SENT_MESSAGES}\n"
            f"    where source = {literal(self.name)} and published_at >= now('UTC') - interval {seconds} second\n"
            f")\nselect *, {identity} as {IDENTITY}\nfrom candidates\n"
            f"where {self.id_column} is not null and {identity} not in (select id from cooling_down)\n"
            f"order by {self.order}, {keys}\nlimit 1 by {keys}\nlimit {limit}"
        )

    def body(self, row: Mapping[str, Any]) -> bytes:
        """JSON body of one row's message."""
        missing = [column for column in self.columns if column not in row]
        if missing:
            raise ValueError(
                f"{self.candidates.name}: the query returns no column {missing[0]!r} (it has {', '.join(row)})"
            )
        if self.payload is None:
            return orjson.dumps(row[self.id_column])
        return orjson.dumps(filled(self.payload, row), default=str)


def columns_of(payload: Payload) -> Iterator[str]:
    """Names of the columns that a payload is made of."""
    for value in payload.values():
        if isinstance(value, Column):
            yield value.name
        elif isinstance(value, Mapping):
            yield from columns_of(value)


def filled(shape: Any, row: Mapping[str, Any]) -> Any:
    """A payload, or a part of it, with the row's values in the place of its columns."""
    if isinstance(shape, Column):
        return row[shape.name]
    if isinstance(shape, Mapping):
        return {key: filled(value, row) for key, value in shape.items()}
    return shape


def message_params(source: MessageSource) -> dict[str, Param]:
    """The form of a manual trigger."""
    return {
        "limit": Param(
            source.limit, type="integer", minimum=1, maximum=source.limit * 10, description="most messages of one run"
        ),
        "dry_run": Param(False, type="boolean", description="show what would be published and publish nothing"),
    }


def publish_messages(source: MessageSource, task_id: str = "publish_messages") -> PythonOperator:
    """Task that publishes the messages of one source. XCom: see `run`."""
    return PythonOperator(
        task_id=task_id, python_callable=run, op_kwargs={"source": source}, pool=POOL, show_return_value_in_logs=False
    )


def run(source: MessageSource, params: Mapping[str, Any], run_id: str, **context: Any) -> dict[str, Any]:
    """Query, publish, record. Returns `{candidates, published, dry_run, note}`; a run that fails while it publishes
    leaves the same as its XCom.

    Nothing to do is a success that says so. Raises PublishError at the first message that the broker does not
    confirm; what was confirmed before it is recorded and not sent again by the retry.
    """
    from stir import warehouse

    limit, dry_run = int(params.get("limit") or source.limit), bool(params.get("dry_run"))
    for statement in DDL:
        warehouse.command(statement, what=f"create {SENT_MESSAGES}")
    parameters = {variable.name: variable.text() for variable in source.variables}
    rows = warehouse.rows(source.query(limit), parameters or None, what=source.candidates.name)
    if not rows:
        return report(source, 0, 0, dry_run, "nothing to do: no row without a recent message")
    if dry_run:
        for row in rows[:SHOWN_IN_DRY_RUN]:
            log.info("would publish %s", source.body(row).decode())
        return report(source, len(rows), 0, True, "dry run: nothing published")
    page = {"candidates": len(rows), "published": 0, "dry_run": False, "note": ""}
    with left_behind(context, lambda: page, ("published",)):
        publish(source, rows, run_id, page)
    return report(source, len(rows), page["published"], False, "")


def publish(source: MessageSource, rows: list[dict[str, Any]], run_id: str, page: dict[str, Any]) -> None:
    """Publish one message per row, count the confirmed ones in `page`, and record them, also when a later one fails."""
    from stir.rabbitmq_publisher import Route, connected, parameters_from_airflow

    route = Route(source.exchange, source.routing_key)
    unrecorded: list[tuple[Any, ...]] = []
    try:
        with connected(parameters_from_airflow(), route) as publisher:
            for row in rows:
                identity = row[IDENTITY]
                publisher.publish(source.body(row), message_id=f"{source.name}:{identity}:{run_id}")
                unrecorded.append((source.name, identity, route.exchange, route.routing_key, run_id, datetime.now(UTC)))
                page["published"] += 1
                if len(unrecorded) >= RECORD_EVERY:
                    record(unrecorded)
                    unrecorded = []
    finally:
        record(unrecorded)
        if page["published"] < len(rows):
            log.error("%d of %d messages were confirmed before the failure", page["published"], len(rows))


def record(messages: list[tuple[Any, ...]]) -> None:
    """Write confirmed messages to the table of sent messages."""
    from stir import warehouse

    head = f"insert into {SENT_MESSAGES} (source, id, exchange, routing_key, run_id, published_at) values"
    warehouse.insert(head, messages, what=f"record in {SENT_MESSAGES}")


def report(source: MessageSource, candidates: int, published: int, dry_run: bool, note: str) -> dict[str, Any]:
    """Counts as one log line and as the XCom page."""
    log.info("%s: %d candidates, %d published%s", source.name, candidates, published, f" ({note})" if note else "")
    return {"candidates": candidates, "published": published, "dry_run": dry_run, "note": note}
