"""The small world in a real ClickHouse, its events stored as the sinker would store them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from devstack.environment import environment
from devstack.services import ClickHouseService
from devstack.world import streams
from devstack.world.load import STAGING_EVENTS, Targets, load
from devstack.world.store import Ledger
from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser
from schema import clickhouse_sources
from schema.connections import clickhouse_address, connect_clickhouse

AS_OF = datetime(2026, 6, 15, 12, tzinfo=UTC)
DATABASES = (*clickhouse_sources.source_databases(), "_e", STAGING_EVENTS)


@dataclass
class StoredWorld:
    """A server with the small world in it."""

    client: Client

    def load(self, seed: int = 7) -> None:
        """Write the world anew, whatever was there."""
        for event in EVENT_TYPES.values():
            self.client.command(f"TRUNCATE TABLE IF EXISTS _e.{event.table}")
        parts: list[streams.Part] = []

        def keep(_targets: Targets, found: list[streams.Part], _ledger: Ledger, _say: object) -> int:
            parts.extend(found)
            return sum(part.events for part in found)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("devstack.world.load._publish", keep)
            load("small", seed, AS_OF, AS_OF, Targets(self.client, (), None), force=True, say=print)
        self._store(parts)

    def _store(self, parts: list[streams.Part]) -> None:
        by_key = {event.routing_key: (event, Parser(event), []) for event in EVENT_TYPES.values()}
        for part in parts:
            for message in part.messages():
                _, parser, rows = by_key[message.routing_key]
                rows.append(parser.row(message.body, int(AS_OF.timestamp()), "test"))  # Poison for what it would refuse
        for event, _, rows in by_key.values():
            self.client.insert(
                event.table,
                rows,
                database="_e",
                column_names=event.column_names,
                column_type_names=[column.type for column in event.columns],
                settings={"max_partitions_per_insert_block": 0},
            )

    def rows(self, sql: str) -> list[tuple]:
        return [tuple(row) for row in self.client.query(sql).result_rows]

    def number(self, sql: str) -> int:
        """The only value of a query."""
        ((value,),) = self.rows(sql)
        return value

    def tables(self) -> list[str]:
        """All source and event tables that the server has, empty ones too."""
        return [
            f"{database}.`{name}`"
            for database, name in self.rows(
                f"SELECT database, name FROM system.tables WHERE database IN {DATABASES} ORDER BY database, name"
            )
        ]

    def checksums(self) -> dict[str, tuple[int, int]]:
        """Rows of each table and a checksum that does not depend on their order."""
        return {
            table: self.rows(f"SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM {table}")[0]
            for table in self.tables()
        }


@pytest.fixture(scope="module")
def stored(clickhouse_service: ClickHouseService) -> Iterator[StoredWorld]:
    """The small world with seed 7."""
    client = connect_clickhouse(
        clickhouse_address(environment(clickhouse_service.settings, clickhouse_service.secrets))
    )
    for database in DATABASES:  # whatever another file's tests have left in them
        client.command(f"DROP DATABASE IF EXISTS {database} SYNC")
    for database, statements in clickhouse_sources.source_databases().items():
        clickhouse_sources.apply(client, database, statements)
    event_schema.apply(client, list(EVENT_TYPES.values()), "_e")
    world = StoredWorld(client)
    world.load()
    yield world
    client.close()
