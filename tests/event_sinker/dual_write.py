"""A scraper that writes twice: rows into PostgreSQL log tables, events through the sinker's parser and writer.

Fixtures: `writes` is such a scraper with tables of its own, `compare` runs `parity` on them.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from devstack.settings import HOST, POSTGRES_USER, SERVING_DATABASE
from event_sinker import schema
from event_sinker.claim import Claim
from event_sinker.events import EVENT_TYPES
from event_sinker.parity import command as parity
from event_sinker.parity.command import EXIT_DIFFERENT
from event_sinker.parity.facts import LOG_TABLES, LogTable
from event_sinker.parse import Parser
from event_sinker.settings import Settings
from event_sinker.writer import Writer, connect

NOON = "2026-03-03 12:00:00.25"
PREFIX = "SINKER_PARITY_POSTGRES_"
# As the scraper declares them: some JSON columns are jsonb, some text.
LOG_DDL = {
    "profile_log": "platform text, profile_id text, dimensions jsonb, metrics jsonb",
    "post_log": "platform text, profile_id text, platform_post_id text, metrics jsonb, dimensions jsonb",
    "post_activity_log": "activity_type text, platform text, platform_post_id text, actor_profile_id text, "
    "dimensions text, metrics text",
    "profile_relationship_log": "relationship_type text, platform text, source_profile_id text, "
    "target_profile_id text, source_dimensions jsonb, source_metrics jsonb, target_dimensions jsonb, "
    "target_metrics jsonb",
}
SAMPLES: dict[str, dict[str, Any]] = {
    "profile_log": {"profile_id": "1", "metrics": {"followers": 10}, "dimensions": {"bio": "private words"}},
    "post_log": {"profile_id": "1", "shortcode": "Cx1", "metrics": {"likes": 10}, "dimensions": {"caption": "hi"}},
    "post_activity_log": {
        "activity_type": "COMMENT",
        "shortcode": "Cx1",
        "actor_profile_id": "2",
        "metrics": {"likes": 1},
        "dimensions": {"text": "great"},
    },
    "profile_relationship_log": {
        "relationship_type": "FOLLOWS",
        "source_profile_id": "1",
        "target_profile_id": "2",
        "source_metrics": {},
        "target_metrics": {},
        "source_dimensions": {"handle": "follower", "is_private": False},
        "target_dimensions": {},
    },
}


@dataclass
class DualWrite:
    """The log tables of one PostgreSQL schema, and the event tables of one ClickHouse database."""

    settings: Settings
    connection: Connection
    schema: str
    _pending: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def create_tables(self) -> None:
        statement = f"CREATE SCHEMA {self.schema};" + ";".join(
            f'CREATE TABLE {self.schema}.{name} (id bigserial, {columns}, source text, "timestamp" timestamp)'
            for name, columns in LOG_DDL.items()
        )
        self.execute(statement)

    def execute(self, statement: str | sql.Composable, values: list[Any] | None = None) -> None:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def log(self, at: str, event_type: str = "profile_log", **changes: Any) -> None:
        """One row of the log, scraped at that time (UTC). Documents may be given as JSON text."""
        table = LOG_TABLES[event_type]
        fact = _sample(event_type) | changes
        columns = {table.logged_as(name): _logged(table, name, fact[name]) for name in table.columns}
        columns["timestamp"] = at
        self.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(self.schema, event_type),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join(sql.Placeholder() * len(columns)),
            ),
            list(columns.values()),
        )

    def publish(self, at: str, event_type: str = "profile_log", **changes: Any) -> None:
        """One event, published at that time; it is stored when the comparison runs."""
        event = {"event_id": str(uuid.uuid4()), "handle": None, "publish_time": None, "event_timestamp": at}
        self._pending.setdefault(event_type, []).append(event | _sample(event_type) | changes)

    def both(self, at: str, event_type: str = "profile_log", delay: float = 2, **changes: Any) -> None:
        """A fact that is logged, and published `delay` seconds later."""
        self.log(at, event_type, **changes)
        published = datetime.fromisoformat(at) + timedelta(seconds=delay)
        self.publish(published.isoformat(sep=" ", timespec="seconds"), event_type, **changes)

    def store(self) -> None:
        for event_type, events in self._pending.items():
            batch = uuid.uuid4().hex
            parser = Parser(EVENT_TYPES[event_type])
            rows = [parser.row(_body(event), int(time.time()), batch) for event in events]
            assert Writer(EVENT_TYPES[event_type], self.settings).write(batch, rows, Claim()) == []
        self._pending.clear()

    def compare(self, *arguments: str, event_type: str = "profile_log", table: str = "") -> int:
        """`parity` over 2 to 4 March 2026, unless told otherwise; the exit code."""
        self.store()
        parser = argparse.ArgumentParser()
        parity.add_arguments(parser)
        days = [] if "--since" in arguments else ["--since", "2026-03-02", "--until", "2026-03-05"]
        table = table or f"{self.schema}.{event_type}"
        return parity.run(self.settings, parser.parse_args([event_type, *days, "--table", table, *arguments]))


def _sample(event_type: str) -> dict[str, Any]:
    return {"source": "graphapi", "platform": "INSTAGRAM"} | SAMPLES[event_type]


def _logged(table: LogTable, column: str, value: Any) -> str | None:
    """A value as the log keeps it: documents of profiles and posts are arrays of pairs, those of edges objects."""
    if column not in table.documents or value is None or isinstance(value, str):
        return value
    if "metrics" in table.documents:
        value = [{"key": key, "value": item} for key, item in value.items()]
    return json.dumps(value)


def _body(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()


@pytest.fixture
def writes(postgres_service, clickhouse_service, monkeypatch: pytest.MonkeyPatch) -> Iterator[DualWrite]:
    name = f"parity_{uuid.uuid4().hex[:8]}"
    endpoint = clickhouse_service.endpoint
    settings = Settings(
        clickhouse_host=endpoint.host,
        clickhouse_http_port=endpoint.http_port,
        clickhouse_user=endpoint.user,
        clickhouse_password=endpoint.password,
        clickhouse_database=name,
    )
    for variable, value in {
        "HOST": HOST,
        "PORT": str(postgres_service.ports["postgres"]),
        "DATABASE": SERVING_DATABASE,
        "USER": POSTGRES_USER,
        "PASSWORD": postgres_service.secrets.postgres_password,
    }.items():
        monkeypatch.setenv(PREFIX + variable, value)
    monkeypatch.setenv("COLUMNS", "250")
    connection = postgres_service.connection()
    world = DualWrite(settings, connection, name)
    world.create_tables()
    with connect(settings) as client:
        schema.apply(client, [EVENT_TYPES[event_type] for event_type in LOG_TABLES], name)
        yield world
        client.command(f"DROP DATABASE {name}")
    world.execute(f"DROP SCHEMA {name} CASCADE")
    connection.close()


@pytest.fixture
def compare(writes: DualWrite, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Runs the comparison and returns its JSON; the exit code agrees with it."""

    def run(*arguments: str, **options: str) -> dict[str, Any]:
        capsys.readouterr()
        code = writes.compare("--json", *arguments, **options)
        report = json.loads(capsys.readouterr().out)
        assert code == (0 if report["equal"] else EXIT_DIFFERENT)
        return report

    return run


def verdicts(report: dict[str, Any]) -> list[str]:
    return [day["verdict"] for day in report["days"]]


def kinds(report: dict[str, Any]) -> list[str]:
    return [difference["kind"] for difference in report["sample"]["differences"]]
