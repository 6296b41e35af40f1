"""Reading the event tables in ClickHouse, with the same questions as `postgres` asks the log tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from event_sinker.errors import SinkerError, explain
from event_sinker.events import EventType
from event_sinker.parity.facts import SECONDS_PER_DAY, Entity, Fact, LogTable, Tally, Window
from event_sinker.settings import Settings
from event_sinker.writer import connect

# Every query counts an event_id once: a repeated delivery is one event.
_TALLIES = """
SELECT toDate({time}, 'UTC') AS day, platform, uniqExact({id}), uniqExact(({entity}))
FROM {table} WHERE {within} GROUP BY day, platform
"""
_NEAR_MIDNIGHT = """
SELECT DISTINCT toUnixTimestamp({time}) AS second, {entity}, {id}
FROM {table}
WHERE {within} AND (
    modulo(second, %(day)s) < %(reach)s OR modulo(second, %(day)s) >= %(day)s - %(reach)s
)
ORDER BY second
"""
_ENTITIES = """
SELECT lower(hex(MD5(concatWithSeparator(char(31), %(seed)s, {entity})))) AS draw, {entity}
FROM (SELECT DISTINCT {entity} FROM {table} WHERE {within})
ORDER BY draw LIMIT %(number)s
"""
_FACTS = """
SELECT {id}, toUnixTimestamp({time}), {entity}, {texts}, {documents}
FROM {table} WHERE {within} AND ({entity}) IN %(entities)s
LIMIT 1 BY {id}
"""
_LIMITS = {"max_query_size": 64 << 20, "max_ast_elements": 1_000_000, "max_expanded_ast_elements": 1_000_000}


@contextmanager
def open_events(settings: Settings, event: EventType, table: LogTable, patience: int) -> Iterator[ClickHouseEvents]:
    """The events of one type, for as long as the block runs; a query may take `patience` seconds.

    Raises:
        SinkerError: ClickHouse cannot be reached, refuses the login or the query, or the table is missing.
    """
    patient = {"insert_timeout_seconds": max(patience, settings.insert_timeout_seconds)}
    try:
        with connect(settings.model_copy(update=patient)) as client:
            yield ClickHouseEvents(client, settings.clickhouse_database, event, table)
    except (ClickHouseError, OSError) as error:
        address = f"{settings.clickhouse_host}:{settings.clickhouse_http_port}"
        raise SinkerError(f"ClickHouse at {address}: {explain(error)}") from None


class ClickHouseEvents:
    """The event table of one type."""

    def __init__(self, client: Client, database: str, event: EventType, table: LogTable) -> None:
        self._client = client
        self._table = table
        self._parts = {
            "table": f"`{database}`.`{event.table}`",
            "time": event.time_column,
            "id": event.id_column,
            "entity": ", ".join(table.entity),
            "texts": ", ".join(table.texts),
            "documents": ", ".join(table.documents),
            # Seconds since the epoch, so that the time zone of the server does not matter.
            "within": f"{event.time_column} >= toDateTime(%(start)s) AND {event.time_column} < toDateTime(%(end)s)",
        }

    def tallies(self, window: Window) -> dict[tuple[date, str], Tally]:
        """Events and distinct entities by day and platform."""
        rows = self._read(_TALLIES, window)
        return {(day, platform): Tally(events, entities) for day, platform, events, entities in rows}

    def near_midnight(self, window: Window, reach: int) -> Iterator[tuple[int, Entity]]:
        """Second and entity of every event up to `reach` seconds from a midnight, in order of time."""
        rows = self._read(_NEAR_MIDNIGHT, window.widened(reach), {"day": SECONDS_PER_DAY, "reach": reach})
        return ((second, tuple(entity)) for second, *entity, _ in rows)

    def draw(self, window: Window, seed: str, number: int) -> list[tuple[str, Entity]]:
        """The first entities by a hash of seed and entity, with that hash."""
        rows = self._read(_ENTITIES, window, {"seed": seed, "number": number})
        return [(draw, tuple(entity)) for draw, *entity in rows]

    def facts(self, window: Window, entities: Sequence[Entity]) -> Iterator[Fact]:
        """All events of the entities."""
        for event_id, second, *values in self._read(_FACTS, window, {"entities": tuple(entities)}):
            yield self._table.fact(event_id, second, values)

    def _read(self, query: str, window: Window, parameters: dict[str, Any] | None = None) -> Iterator[Sequence[Any]]:
        """Rows of one query, block by block: they never lie in memory all at once."""
        values = {"start": window.start, "end": window.end} | (parameters or {})
        with self._client.query_row_block_stream(query.format(**self._parts), values, settings=_LIMITS) as blocks:
            for block in blocks:
                yield from block
