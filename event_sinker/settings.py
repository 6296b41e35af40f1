"""Every setting of the sinker, read from variables with the prefix SINKER_ or from files in SINKER_SECRETS_DIR."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from event_sinker.events import EVENT_TYPES, EventType
from event_sinker.parse import Limits

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of one sinker process. Numbers are seconds, bytes or rows, as the name says."""

    model_config = SettingsConfigDict(env_prefix="SINKER_", extra="ignore")

    rabbitmq_host: str = Field("127.0.0.1", description="RabbitMQ server")
    rabbitmq_port: int = Field(5672, description="its AMQP port")
    rabbitmq_user: str = Field("stir", description="login")
    rabbitmq_password: SecretStr = Field(SecretStr(""), description="its password")
    rabbitmq_vhost: str = Field("/", description="virtual host of all queues")
    rabbitmq_secure: bool = Field(False, description="AMQPS: TLS, with the certificate checked")
    rabbitmq_ca_file: str = Field("", description="file with the authority of that certificate; empty = the system's")
    rabbitmq_heartbeat_seconds: Annotated[int, Field(ge=5)] = Field(
        30, description="a silent connection is cut after this"
    )
    reconnect_max_seconds: Seconds = Field(15, description="longest pause between two attempts to reach RabbitMQ")

    clickhouse_host: str = Field("127.0.0.1", description="ClickHouse server")
    clickhouse_http_port: int = Field(8123, description="its HTTP port")
    clickhouse_user: str = Field("stir", description="login")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="its password")
    clickhouse_database: str = Field("_e", description="database that receives the events", pattern=r"^\w+$")
    clickhouse_stage_database: str = Field(
        "_stage_e", description="second database that init-schema creates, for a stage environment", pattern=r"^\w*$"
    )
    clickhouse_secure: bool = Field(False, description="HTTPS instead of HTTP")
    clickhouse_ca_file: str = Field("", description="file with the authority of its certificate; empty = the system's")
    clickhouse_cluster: str = Field(
        "", description="cluster name: DDL runs ON CLUSTER and tables are replicated", pattern=r"^[\w.-]*$"
    )
    clickhouse_compression: str = Field(
        "lz4", description="compression of inserts on the wire: lz4 (checksummed), zstd or none"
    )
    insert_timeout_seconds: Seconds = Field(60, description="an insert without a reply for this long is tried again")
    retry_max_seconds: Seconds = Field(20, description="longest pause between two attempts to insert the same block")
    redelivery_settle_seconds: Annotated[float, Field(ge=0)] = Field(
        2,
        description="wait before redelivered events are looked up, so that a dying sinker's last insert has landed; "
        "the same for all sinkers, which complete no insert when RabbitMQ was silent for so long; 0 = neither",
    )

    http_host: str = Field("127.0.0.1", description="address of /livez, /readyz and /metrics")
    http_port: int = Field(8090, description="their port; 0 = none")

    event_types: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma-separated event types to serve; empty = all"
    )
    batch_rows: Count | None = Field(None, description="flush when this many messages wait; unset = 1000")
    batch_bytes: Count = Field(8 << 20, description="flush when their bodies together reach this size")
    batch_seconds: Seconds | None = Field(
        None, description="flush when the oldest message waits this long; unset = 60 to 300 by event type"
    )
    batch_seconds_by_type: dict[str, Seconds] = Field(
        default_factory=dict, description='the same for single event types, as JSON: {"post_log": 120}'
    )
    batch_interval_seconds: Annotated[float, Field(ge=0)] = Field(
        1.0, description="the rows and bytes triggers wait for this pause between two inserts of a table"
    )
    batch_max_rows: Count | None = Field(
        None, description="a batch that grew to this size is inserted at once; unset = half of the prefetch, the most"
    )
    batch_max_bytes: Count = Field(16 << 20, description="the same, in bytes of message bodies")
    prefetch: Annotated[int, Field(gt=0, le=65535)] = Field(
        20_000, description="messages held un-acknowledged per consumer, as far as the memory goes"
    )
    memory_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        56 << 20, description="memory for the messages of all queues; when it is full, RabbitMQ keeps the rest"
    )
    consumers_by_type: dict[str, Count] = Field(
        default_factory=dict,
        description='consumers of single event types in this process, as JSON: {"post_log": 2}; else 1 each',
    )
    recent_ids: Annotated[int, Field(ge=0)] = Field(
        20_000, description="ids of stored events remembered per queue, against repeated deliveries"
    )

    max_message_bytes: Count = Field(1 << 20, description="a larger message goes to the dead-letter queue")
    min_event_time: datetime = Field(
        datetime(2010, 1, 1, tzinfo=UTC), description="an older event_timestamp goes to the dead-letter queue"
    )
    max_event_future_seconds: Seconds = Field(
        86_400, description="an event_timestamp further ahead of the clock goes to the dead-letter queue"
    )

    poison_max_consecutive: Annotated[int, Field(ge=0)] = Field(
        1000, description="a queue with more messages in a row that cannot be stored is no longer served; 0 = no limit"
    )
    poison_max_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="the same for this part of the last messages; 0 = no limit"
    )
    poison_window: Count = Field(2000, description="number of last messages over which that part is taken")

    shutdown_grace_seconds: Seconds = Field(25, description="time to drain after SIGTERM")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="of the JSON log on stderr")

    @classmethod
    def load(cls, **changes: object) -> Self:
        """Settings from the environment and, when SINKER_SECRETS_DIR names a folder, from files in it.

        `changes`, by name, take precedence.

        Raises:
            pydantic.ValidationError: a value is missing its type or its range.
            pydantic_settings.SettingsError: a value is no JSON, or the folder does not exist.
        """
        folder = os.environ.get("SINKER_SECRETS_DIR")
        if folder and not Path(folder).is_dir():
            raise SettingsError(f"SINKER_SECRETS_DIR names {folder}, which is no folder")
        return cls(_secrets_dir=folder, **changes)

    @field_validator("event_types", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("min_event_time")
    @classmethod
    def _utc(cls, value: datetime) -> datetime:
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = {*self.event_types, *self.batch_seconds_by_type, *self.consumers_by_type} - EVENT_TYPES.keys()
        if unknown:
            raise ValueError(f"unknown event type {sorted(unknown)}; known: {', '.join(EVENT_TYPES)}")
        if self.clickhouse_compression not in {"lz4", "zstd", "none"}:
            raise ValueError("clickhouse_compression is lz4, zstd or none")
        rows, most = max(self.rows(event) for event in self.served()), self.max_rows()
        for name, count in (("batch_rows", rows), ("batch_max_rows", most)):
            if self.prefetch < 2 * count:
                raise ValueError(
                    f"prefetch ({self.prefetch}) must be at least twice {name} ({count}): "
                    "RabbitMQ sends no more than the prefetch, and while one batch is inserted the next one must grow"
                )
        if most < rows:
            raise ValueError(f"batch_max_rows ({most}) must be at least batch_rows ({rows})")
        if self.batch_max_bytes < self.batch_bytes:
            sizes = f"batch_max_bytes ({self.batch_max_bytes}) must be at least batch_bytes ({self.batch_bytes})"
            raise ValueError(sizes)
        return self

    def served(self) -> list[EventType]:
        """The event types that this process serves."""
        return [EVENT_TYPES[name] for name in self.event_types] or list(EVENT_TYPES.values())

    def rows(self, event: EventType) -> int:
        """Rows trigger of one event type."""
        return self.batch_rows or event.batch_rows

    def max_rows(self) -> int:
        """Most rows of one batch."""
        return self.batch_max_rows or self.prefetch // 2

    def limits(self) -> Limits:
        """Bounds of a believable message."""
        return Limits(
            max_bytes=self.max_message_bytes,
            min_event_time=int(self.min_event_time.timestamp()),
            max_future=int(self.max_event_future_seconds),
        )

    def claim_seconds(self) -> float:
        """How old the last proof may be that messages are still ours, when an insert starts and when it ends."""
        return self.redelivery_settle_seconds or math.inf

    def consumers(self, event: EventType) -> int:
        """Consumers of one event type in this process."""
        return self.consumers_by_type.get(event.name) or event.consumers

    def seconds(self, event: EventType) -> float:
        """Time trigger of one event type."""
        return self.batch_seconds_by_type.get(event.name) or self.batch_seconds or event.batch_seconds
