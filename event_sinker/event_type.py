"""How an event type is declared: a `Column` says where a value comes from, an `EventType` everything else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """How a JSON value becomes a column value. A value that fits no rule makes the message poison."""

    ID = "id"  # text, never empty: the event's identity
    ID_OR_EMPTY = "id_or_empty"  # the same, but the event may have none: then only at-least-once can be promised
    TEXT = "text"  # text; numbers keep their digits; null is poison
    TEXT_OR_EMPTY = "text_or_empty"  # the same, null becomes ''
    TEXT_OR_NULL = "text_or_null"  # the same, null stays NULL
    JSON = "json"  # object, stored as compact JSON text; null becomes {}
    EVENT_TIME = "event_time"  # UTC time within the bounds of the settings, as text or as epoch seconds
    EVENT_EPOCH = "event_epoch"  # the same, as epoch seconds only
    TIME = "time"  # UTC time as text
    TIME_OR_NULL = "time_or_null"  # the same, or NULL
    UINT64 = "uint64"  # whole number, as number or as text
    INT32 = "int32"  # the same in 32 bits
    INT32_OR_NULL = "int32_or_null"  # the same, or NULL
    FLOAT = "float"  # finite number, as number or as text
    FLAG = "flag"  # true or false, 1 or 0
    USER_AGENT_TEXT = "user_agent_text"  # the part of a user agent that `Column.part` names
    USER_AGENT_FLAG = "user_agent_flag"  # the same, 1 or 0
    PARSED_AT = "parsed_at"  # no JSON key: the time of parsing, UTC
    BATCH_ID = "batch_id"  # no JSON key: the insert that wrote the row


_TYPES = {
    Rule.TEXT_OR_NULL: "Nullable(String)",
    Rule.EVENT_TIME: "DateTime",
    Rule.EVENT_EPOCH: "DateTime",
    Rule.TIME: "DateTime",
    Rule.TIME_OR_NULL: "Nullable(DateTime)",
    Rule.UINT64: "UInt64",
    Rule.INT32: "Int32",
    Rule.INT32_OR_NULL: "Nullable(Int32)",
    Rule.FLOAT: "Float64",
    Rule.FLAG: "UInt8",
    Rule.USER_AGENT_FLAG: "Int32",
    Rule.PARSED_AT: "DateTime",
}  # every other rule makes a String
# As `benchmarks/event_store --explore` found: texts repeat from row to row and gain from the stronger level, which is
# also read faster; an id repeats nowhere and would only cost time.
_CODECS = {
    Rule.ID: "ZSTD(1)",
    Rule.ID_OR_EMPTY: "ZSTD(1)",
    Rule.EVENT_TIME: "Delta(4), ZSTD(1)",
    Rule.EVENT_EPOCH: "Delta(4), ZSTD(1)",
    Rule.PARSED_AT: "Delta(4), ZSTD(1)",
}


@dataclass(frozen=True)
class Column:
    """One column: its name, its rule, and what differs from the rule's defaults."""

    name: str
    rule: Rule
    required: bool = True  # the JSON key must be present; else an absent key or null becomes the default of the type
    keys: tuple[str, ...] = ()  # JSON keys, the first that is present counts; default: the column's name
    part: str = ""  # field of `user_agent.UserAgent`, for the user agent rules

    @property
    def type(self) -> str:
        """The ClickHouse type."""
        return _TYPES.get(self.rule, "String")

    @property
    def codec(self) -> str:
        return _CODECS.get(self.rule, "ZSTD(3)" if "String" in self.type else "ZSTD(1)")

    @property
    def from_payload(self) -> bool:
        return self.rule not in {Rule.PARSED_AT, Rule.BATCH_ID}

    @property
    def payload_keys(self) -> tuple[str, ...]:
        return self.keys or (self.name,)

    @property
    def default(self) -> str | int | None:
        """What an absent key of a column that is not required becomes."""
        if self.rule is Rule.JSON:
            return "{}"
        if self.type.startswith("Nullable"):
            return None
        return "" if self.type == "String" else 0


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
    partition_by: str = "toYYYYMM(event_timestamp)"  # empty: not partitioned
    engine: str = "MergeTree"
    time_column: str = "event_timestamp"
    id_column: str = "event_id"
    batch_rows: int = 1000  # flush when this many messages wait
    batch_seconds: float = 60  # flush when the oldest message waits this long
    consumers: int = 1  # per process; the batches of one consumer are written one after the other
    redacted: bool = False  # credentials in the body are blanked before anything else sees it

    @property
    def dead_queue(self) -> str:
        return f"{self.queue}.dead"

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def indexes(self) -> dict[str, str]:
        """Skipping indexes, name -> definition.

        One answers "did this event arrive?" without reading every id. None is needed for times: partitions and the
        parts' own statistics do as well.
        """
        if self.order_by[0] == self.id_column:
            return {}
        return {"ids": f"`{self.id_column}` TYPE bloom_filter(0.01) GRANULARITY 1"}

    @property
    def always_has_id(self) -> bool:
        """Whether every event has an identity, so that none is ever stored twice."""
        return next(column for column in self.columns if column.name == self.id_column).rule is Rule.ID
