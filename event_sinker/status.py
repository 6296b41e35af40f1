"""Where the events are: waiting in RabbitMQ, set aside as dead letters, stored in ClickHouse."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pika
from pika.exceptions import ChannelClosedByBroker

from event_sinker import broker_errors
from event_sinker.errors import SinkerError, explain
from event_sinker.events import EventType
from event_sinker.settings import Settings
from event_sinker.topology import connection_parameters
from event_sinker.writer import connect


@dataclass(frozen=True)
class EventStatus:
    """One event type. None: the queue or table does not exist."""

    event_type: str
    waiting: int | None
    consumers: int | None
    dead: int | None
    rows: int | None
    newest_event: datetime | None

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def read(settings: Settings) -> list[EventStatus]:
    """The status of all served event types. `waiting` counts messages ready for delivery, not those a sinker holds.

    Raises:
        SinkerError: RabbitMQ or ClickHouse cannot be reached.
    """
    events = settings.served()
    stored = _stored(settings, events)
    try:
        with pika.BlockingConnection(connection_parameters(settings)) as connection:
            found = []
            for event in events:
                waiting, consumers = _depth(connection, event.queue)
                dead, _ = _depth(connection, event.dead_queue)
                found.append(EventStatus(event.name, waiting, consumers, dead, *stored.get(event.table, (None, None))))
            return found
    except broker_errors.UNREACHABLE as error:
        raise SinkerError(broker_errors.explain(error, settings)) from None


def _depth(connection: pika.BlockingConnection, queue: str) -> tuple[int | None, int | None]:
    channel = connection.channel()
    try:
        declared = channel.queue_declare(queue, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != 404:  # NOT_FOUND
            raise
        return None, None
    channel.close()
    return declared.message_count, declared.consumer_count


def _stored(settings: Settings, events: list[EventType]) -> dict[str, tuple[int, datetime | None]]:
    try:
        with connect(settings) as client:
            existing = {
                name
                for (name,) in client.query(
                    "SELECT name FROM system.tables WHERE database = %(database)s",
                    {"database": settings.clickhouse_database},
                ).result_rows
            }
            stored = {}
            for event in events:
                if event.table not in existing:
                    continue
                ((rows, newest),) = client.query(
                    f"SELECT count(), toUnixTimestamp(max({event.time_column})) "  # noqa: S608
                    f"FROM `{settings.clickhouse_database}`.`{event.table}`"
                ).result_rows
                stored[event.table] = (rows, datetime.fromtimestamp(newest, UTC) if rows else None)
            return stored
    except Exception as error:
        address = f"{settings.clickhouse_host}:{settings.clickhouse_http_port}"
        raise SinkerError(f"ClickHouse at {address}: {explain(error)}") from None
