"""A ClickHouse server of its own with a synthetic world in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import clickhouse_connect
from rich.console import Console

from devstack.services import ClickHouseService
from devstack.settings import StackSettings
from devstack.world import direct_events
from devstack.world.load import Targets, load
from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES
from schema import clickhouse_sources

SEED = 7
MEMORY_BYTES = 6_000_000_000
"""Of the server, for the three models that a tier builds at once."""


@contextmanager
def loaded_world(size: str, folder: Path, console: Console, *, port_base: int = 24_700) -> Iterator[ClickHouseService]:
    """The server, stopped at the end. The world ends now, so that look-backs and windows find what is recent."""
    settings = StackSettings(home=folder / "stack", port_base=port_base, ports={}, clickhouse_memory_bytes=MEMORY_BYTES)
    with ClickHouseService(settings) as service:
        endpoint = service.endpoint
        client = clickhouse_connect.get_client(
            host=endpoint.host,
            port=endpoint.http_port,
            username=endpoint.user,
            password=endpoint.password,
            autogenerate_session_id=False,
        )
        for database, statements in clickhouse_sources.source_databases().items():
            clickhouse_sources.apply(client, database, statements)
        event_schema.apply(client, list(EVENT_TYPES.values()), "_e")
        client.command("create database if not exists dbt")
        now, begun = datetime.now(UTC).replace(microsecond=0), time.monotonic()
        ledger = load(
            size,
            SEED,
            now,
            now,
            Targets(client, (), None),
            force=True,
            say=console.print,
            events=lambda messages: direct_events.store(client, messages, now),
        )
        rows = sum(ledger.rows.values()) if ledger else 0
        console.print(f"{size} world: {rows:,} rows and its events in {time.monotonic() - begun:.0f} s")
        yield service
