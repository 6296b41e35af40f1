"""Log events straight into the event tables, parsed and inserted as the sinker does it, without a broker in between.
For tests and benchmarks of what comes after the sinker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from devstack.beat.events import Message
from event_sinker.event_type import EventType
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

ROWS_PER_INSERT = 50_000


def store(client: Client, messages: Iterable[Message], parsed_at: datetime) -> int:
    """Store all messages; `parsed_at` becomes their insert time. Returns the number of rows.

    Raises event_sinker.poison.Poison at a message that the sinker would put into a dead-letter queue.
    """
    parsers = {event.routing_key: (event, Parser(event)) for event in EVENT_TYPES.values()}
    moment, stored = int(parsed_at.timestamp()), 0
    for chunk in _chunks(messages):
        rows: dict[str, list] = {}
        for message in chunk:
            rows.setdefault(message.routing_key, []).append(
                parsers[message.routing_key][1].row(message.body, moment, "direct")
            )
        for key, found in rows.items():
            stored += _insert(client, parsers[key][0], found)
    return stored


def _chunks(messages: Iterable[Message]) -> Iterator[list[Message]]:
    left = iter(messages)
    while chunk := list(islice(left, ROWS_PER_INSERT)):
        yield chunk


def _insert(client: Client, event: EventType, rows: list) -> int:
    context = client.create_insert_context(
        f"_e.{event.table}",
        column_names=event.column_names,
        column_type_names=[column.type for column in event.columns],
        settings={"max_partitions_per_insert_block": 0},
    )
    context.req_block_size = len(rows)  # as the sinker sends a batch
    context.data = rows
    written = client.insert(context=context).written_rows
    if written != len(rows):
        raise RuntimeError(f"{written} of {len(rows)} rows of {event.table} were stored")
    return written
