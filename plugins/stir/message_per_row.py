"""The task of a message DAG: one message for each row of a query, each id at most once per cool-down.

What was sent is recorded in ClickHouse table `stir.published_messages` (created here if missing), which outlives
Airflow's own database and can be queried beside the data: who was told about what, when, by which run. The record is
written after the broker's confirmation, so a crash in between repeats a message and never loses one.
Spec: events.yml `stir_dags_publish`, inventory decision 11.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Param

from stir.warehouse import literal

log = logging.getLogger(__name__)

POOL = "rabbitmq"
SENT_MESSAGES = "stir.published_messages"
RECORD_EVERY = 500
ON_FAILURE = """
What was confirmed before the failure is recorded and is not sent again; the retry or the next run sends the rest. "No
queue is bound" means that the consumer's service has not declared its queue: tell its owner. RabbitMQ away: nothing
to do once it is back.
"""
SHOWN_IN_DRY_RUN = 20

DDL = (
    "create database if not exists stir",
    f"""
    create table if not exists {SENT_MESSAGES}
    (
        source LowCardinality(String) comment 'DAG that published',
        id String comment 'id of the row that the message is about',
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


@dataclass(frozen=True, kw_only=True)
class MessageSource:
    """One source of messages.

    `candidates` is a query file that returns `id_column` and the payload columns. With no `payload_columns` the body
    is the bare JSON scalar of the id; otherwise an object of those columns. `order` is SQL over the query's columns.
    An id that was published by this source within `cool_down` is left out *before* the limit, so rows that never get
    fixed cannot block newer ones.
    """

    name: str
    exchange: str
    routing_key: str
    candidates: Path
    id_column: str
    limit: int
    order: str
    cool_down: timedelta
    payload_columns: tuple[str, ...] = ()

    def query(self, limit: int) -> str:
        """The whole SELECT: candidates without NULL ids and without those in cool-down, one row per id, ordered,
        limited.
        """
        sql = self.candidates.read_text(encoding="utf-8").strip().rstrip(";")
        seconds = int(self.cool_down.total_seconds())
        return (
            f"with candidates as (\n{sql}\n), cooling_down as (\n"  # noqa: S608
            f"    select id from {SENT_MESSAGES}\n"
            f"    where source = {literal(self.name)} and published_at >= now('UTC') - interval {seconds} second\n"
            f")\nselect *\nfrom candidates\n"
            f"where {self.id_column} is not null and toString({self.id_column}) not in (select id from cooling_down)\n"
            f"order by {self.order}, {self.id_column}\nlimit 1 by {self.id_column}\nlimit {limit}"
        )

    def body(self, row: Mapping[str, Any]) -> bytes:
        """JSON body of one row's message."""
        missing = [column for column in (self.id_column, *self.payload_columns) if column not in row]
        if missing:
            raise ValueError(
                f"{self.candidates.name}: the query returns no column {missing[0]!r} (it has {', '.join(row)})"
            )
        if not self.payload_columns:
            return orjson.dumps(row[self.id_column])
        return orjson.dumps({column: row[column] for column in self.payload_columns}, default=str)


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


def run(source: MessageSource, params: Mapping[str, Any], run_id: str, **_: Any) -> dict[str, Any]:
    """Query, publish, record. Returns `{candidates, published, dry_run, note}`.

    Nothing to do is a success that says so. Raises PublishError at the first message that the broker does not
    confirm; what was confirmed before it is recorded and not sent again by the retry.
    """
    from stir import warehouse

    limit, dry_run = int(params.get("limit") or source.limit), bool(params.get("dry_run"))
    for statement in DDL:
        warehouse.command(statement, what=f"create {SENT_MESSAGES}")
    rows = warehouse.rows(source.query(limit), what=source.candidates.name)
    if not rows:
        return report(source, 0, 0, dry_run, "nothing to do: no row without a recent message")
    if dry_run:
        for row in rows[:SHOWN_IN_DRY_RUN]:
            log.info("would publish %s", source.body(row).decode())
        return report(source, len(rows), 0, True, "dry run: nothing published")
    return report(source, len(rows), publish(source, rows, run_id), False, "")


def publish(source: MessageSource, rows: list[dict[str, Any]], run_id: str) -> int:
    """Publish one message per row and record the confirmed ones, also when a later one fails; returns how many."""
    from stir.rabbitmq_publisher import Route, connected, parameters_from_airflow

    route = Route(source.exchange, source.routing_key)
    unrecorded: list[tuple[Any, ...]] = []
    published = 0
    try:
        with connected(parameters_from_airflow(), route) as publisher:
            for row in rows:
                identity = str(row[source.id_column])
                publisher.publish(source.body(row), message_id=f"{source.name}:{identity}:{run_id}")
                unrecorded.append((source.name, identity, route.exchange, route.routing_key, run_id, datetime.now(UTC)))
                published += 1
                if len(unrecorded) >= RECORD_EVERY:
                    record(unrecorded)
                    unrecorded = []
    finally:
        record(unrecorded)
        if published < len(rows):
            log.error("%d of %d messages were confirmed before the failure; they are recorded", published, len(rows))
    return published


def record(messages: list[tuple[Any, ...]]) -> None:
    """Write confirmed messages to the table of sent messages."""
    from stir import warehouse

    head = f"insert into {SENT_MESSAGES} (source, id, exchange, routing_key, run_id, published_at) values"
    warehouse.insert(head, messages, what=f"record in {SENT_MESSAGES}")


def report(source: MessageSource, candidates: int, published: int, dry_run: bool, note: str) -> dict[str, Any]:
    """Counts as one log line and as the XCom page."""
    log.info("%s: %d candidates, %d published%s", source.name, candidates, published, f" ({note})" if note else "")
    return {"candidates": candidates, "published": published, "dry_run": dry_run, "note": note}
