"""What the sinker carries: one entry per event type, as data.

An entry names the queue and how it is bound, the ClickHouse table with its keys, and for each column where its value
comes from. Everything else (DDL, topology, parsing, batching, metrics) follows from the entry, so a new event type is
one entry. The facts come from the event contract; where the old system damaged values, `Rule` says what happens here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """How a JSON value becomes a column value. A value that fits no rule makes the message poison."""

    ID = "id"  # text, never empty: the event's identity
    TEXT = "text"  # text; numbers keep their digits; null is poison
    TEXT_OR_EMPTY = "text_or_empty"  # the same, null becomes ''
    TEXT_OR_NULL = "text_or_null"  # the same, null stays NULL
    JSON = "json"  # object, stored as compact JSON text; null becomes {}
    EVENT_TIME = "event_time"  # UTC time within the bounds of the settings
    TIME_OR_NULL = "time_or_null"  # UTC time or NULL
    UINT64 = "uint64"  # whole number, as number or as text
    INT32_OR_NULL = "int32_or_null"  # whole number, as number or as text, or NULL
    PARSED_AT = "parsed_at"  # no JSON key: the time of parsing, UTC
    BATCH_ID = "batch_id"  # no JSON key: the insert that wrote the row


@dataclass(frozen=True)
class Column:
    """One column: its name, its rule, and what differs from the rule's defaults."""

    name: str
    rule: Rule
    required: bool = True  # the JSON key must be present (its value may still be null where the rule allows)

    @property
    def type(self) -> str:
        return _TYPES[self.rule]

    @property
    def codec(self) -> str:
        return _CODECS.get(self.rule, "ZSTD(1)")

    @property
    def from_payload(self) -> bool:
        return self.rule not in {Rule.PARSED_AT, Rule.BATCH_ID}


_TYPES = {
    Rule.ID: "String",
    Rule.TEXT: "String",
    Rule.TEXT_OR_EMPTY: "String",
    Rule.TEXT_OR_NULL: "Nullable(String)",
    Rule.JSON: "String",
    Rule.EVENT_TIME: "DateTime",
    Rule.TIME_OR_NULL: "Nullable(DateTime)",
    Rule.UINT64: "UInt64",
    Rule.INT32_OR_NULL: "Nullable(Int32)",
    Rule.PARSED_AT: "DateTime",
    Rule.BATCH_ID: "String",
}
_CODECS = {
    Rule.JSON: "ZSTD(3)",
    Rule.EVENT_TIME: "Delta(4), ZSTD(1)",
    Rule.PARSED_AT: "Delta(4), ZSTD(1)",
}


@dataclass(frozen=True)
class EventType:
    """One stream of events, from its binding in RabbitMQ to its table in ClickHouse."""

    name: str
    exchange: str
    routing_key: str
    queue: str
    table: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    partition_by: str = "toYYYYMM(event_timestamp)"
    time_column: str = "event_timestamp"
    id_column: str = "event_id"
    batch_seconds: float = 60

    @property
    def dead_queue(self) -> str:
        return f"{self.queue}.dead"

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]


_PAYLOAD = (Column("metrics", Rule.JSON), Column("dimensions", Rule.JSON))
_SERVICE = (Column("insert_timestamp", Rule.PARSED_AT), Column("ingest_batch_id", Rule.BATCH_ID))

_DEFINITIONS = (
    EventType(
        name="profile_log",
        exchange="beat.dx",
        routing_key="profile_log_events",
        queue="profile_log_events_q",
        table="profile_log_events",
        order_by=("platform", "profile_id", "event_timestamp"),
        batch_seconds=60,
        columns=(
            Column("event_id", Rule.ID),
            Column("source", Rule.TEXT_OR_EMPTY),
            Column("platform", Rule.TEXT),
            Column("profile_id", Rule.TEXT_OR_EMPTY),
            Column("handle", Rule.TEXT_OR_NULL),
            Column("event_timestamp", Rule.EVENT_TIME),
            *_PAYLOAD,
            *_SERVICE,
        ),
    ),
    EventType(
        name="post_log",
        exchange="beat.dx",
        routing_key="post_log_events",
        queue="post_log_events_q",
        table="post_log_events",
        order_by=("platform", "profile_id", "shortcode", "event_timestamp"),
        batch_seconds=300,
        columns=(
            Column("event_id", Rule.ID),
            Column("source", Rule.TEXT_OR_EMPTY),
            Column("platform", Rule.TEXT),
            Column("profile_id", Rule.TEXT_OR_EMPTY),
            Column("handle", Rule.TEXT_OR_NULL),
            Column("shortcode", Rule.TEXT),
            Column("publish_time", Rule.TIME_OR_NULL),
            Column("event_timestamp", Rule.EVENT_TIME),
            *_PAYLOAD,
            *_SERVICE,
        ),
    ),
    EventType(
        name="scrape_request_log",
        exchange="beat.dx",
        routing_key="scrape_request_log_events",
        queue="scrape_request_log_events_q",
        table="scrape_request_log_events",
        # The old table was partitioned by (day, flow): dozens of parts per insert, and refused past 100. The flow
        # only sorts.
        order_by=("platform", "flow", "event_timestamp"),
        batch_seconds=60,
        columns=(
            Column("event_id", Rule.ID),
            Column("scl_id", Rule.UINT64),
            Column("platform", Rule.TEXT),
            Column("flow", Rule.TEXT),
            Column("params", Rule.JSON),
            Column("status", Rule.TEXT),
            Column("priority", Rule.INT32_OR_NULL),
            Column("reason", Rule.TEXT_OR_NULL),
            Column("picked_at", Rule.TIME_OR_NULL),
            Column("expires_at", Rule.TIME_OR_NULL),
            Column("retry_count", Rule.INT32_OR_NULL, required=False),
            Column("event_timestamp", Rule.EVENT_TIME),
            *_SERVICE,
        ),
    ),
)

EVENT_TYPES: dict[str, EventType] = {event.name: event for event in _DEFINITIONS}
