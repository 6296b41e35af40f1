"""dbt on a warehouse of its own: a manifest without a server, and the local ClickHouse with the small world in it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner, dbtRunnerResult

from devstack.services import ClickHouseService
from devstack.world import direct_events
from devstack.world.load import Targets, load
from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES
from schema import clickhouse_sources

if "AIRFLOW_HOME" not in os.environ:  # before anything imports Airflow
    airflow_home = tempfile.TemporaryDirectory(prefix="stir-airflow-")  # deleted when the interpreter ends
    os.environ["AIRFLOW_HOME"] = airflow_home.name
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = REPOSITORY / "gcc_social"
RUN_TIME = datetime(2026, 6, 15, 12, tzinfo=UTC)
"""The clock of the world and of every dbt run in these tests."""

SEED = 7


class Dbt:
    """dbt on the checked-in project, in this process and parsed once: a run then takes a second instead of fifteen."""

    def __init__(self, target: Path, environment: dict[str, str]) -> None:
        self.target = target
        self._variables = environment | {
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target / "logs"),
        }
        self.manifest = self._invoke(dbtRunner(), ["parse"]).result

    def run(self, *arguments: str) -> None:
        """One dbt command; AssertionError with the failed nodes' messages if it fails."""
        self._invoke(dbtRunner(manifest=self.manifest), arguments)

    def compiled(self, sql: str) -> str:
        """SQL of a text with Jinja, as dbt would send it."""
        finished = self._invoke(dbtRunner(manifest=self.manifest), ["compile", "--no-populate-cache", "--inline", sql])
        return finished.result.results[0].node.compiled_code

    @contextmanager
    def variables(self, **changed: str) -> Iterator[None]:
        """Other environment variables for a while."""
        before = self._variables
        self._variables = before | changed
        try:
            yield
        finally:
            self._variables = before

    def _invoke(self, runner: dbtRunner, arguments: Sequence[str]) -> dbtRunnerResult:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            finished = runner.invoke(["--quiet", "--no-use-colors", *arguments])
        if finished.exception:
            raise finished.exception
        failures = [
            f"{node.node.name} {node.status}: {node.message}"
            for node in getattr(finished.result, "results", None) or ()
            if node.status in ("error", "fail", "runtime error")
        ]
        assert finished.success, "\n".join(failures)
        return finished


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What dbt read from the project, without a server."""
    target = tmp_path_factory.mktemp("dbt-parse")
    Dbt(target, {"DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": "nowhere-used"})
    return json.loads((target / "manifest.json").read_text())


@dataclass
class Warehouse:
    """A ClickHouse server with the source databases, and dbt pointed at it."""

    client: Client
    project: Dbt

    def dbt(self, *arguments: str, run_time: datetime = RUN_TIME) -> None:
        """Run dbt with its clock at `run_time`; the test fails if dbt does."""
        self.project.run(*arguments, "--vars", json.dumps({"run_time": f"{run_time:%Y-%m-%d %H:%M:%S}"}))

    def rows(self, sql: str) -> list[tuple]:
        return [tuple(row) for row in self.client.query(sql).result_rows]

    def checksum(self, model: str, *, without: Iterable[str] = ()) -> tuple[int, int]:
        """Rows of a model and a checksum that does not depend on their order; ReplacingMergeTree models as merged."""
        columns = [
            name
            for (name,) in self.rows(f"select name from system.columns where database = 'dbt' and table = '{model}'")
        ]
        kept = ", ".join(f"`{name}`" for name in columns if name not in set(without))
        engine = self.rows(f"select engine from system.tables where database = 'dbt' and name = '{model}'")[0][0]
        final = "final" if engine.startswith("Replacing") else ""
        return self.rows(f"select count(), sum(cityHash64(toString(tuple({kept})))) from dbt.{model} {final}")[0]

    def checksums(self, models: Iterable[str]) -> dict[str, tuple[int, int]]:
        return {model: self.checksum(model) for model in models}

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence]) -> None:
        self.client.insert(table, [list(row) for row in rows], column_names=list(columns))

    def drop_models(self) -> None:
        self.client.command("drop database if exists dbt sync")
        self.client.command("create database dbt")

    def empty(self) -> None:
        """Drop all models and empty all sources."""
        self.drop_models()
        databases = [*clickhouse_sources.source_databases(), "_e", "_stage_e"]
        for database, table in self.rows(
            f"select database, name from system.tables where database in {tuple(databases)} and total_rows > 0"
        ):
            self.client.command(f"truncate table {database}.`{table}`")

    def shuffle(self, *tables: str) -> None:
        """Write the rows of source tables again in another order, so that storage order and parts differ."""
        for table in tables:
            self.client.command(f"create or replace table {table}_shuffled as {table}")
            self.client.command(
                f"insert into {table}_shuffled select * from {table} order by cityHash64(toString(tuple(*))) desc"
            )
            self.client.command(f"truncate table {table}")
            for half in (1, 0):
                half_of_rows = f"cityHash64(toString(tuple(*))) % 2 = {half}"
                self.client.command(f"insert into {table} select * from {table}_shuffled where {half_of_rows}")
            self.client.command(f"drop table {table}_shuffled sync")


@pytest.fixture(scope="session")
def warehouse_server(
    clickhouse_service: ClickHouseService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    endpoint = clickhouse_service.endpoint
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
    event_schema.apply(client, [EVENT_TYPES["yt_profile_relationship_log"]], "_stage_e")
    client.command("create database if not exists dbt")
    project = Dbt(
        tmp_path_factory.mktemp("dbt-target"),
        {
            "DBT_CLICKHOUSE_HOST": endpoint.host,
            "DBT_CLICKHOUSE_PORT": str(endpoint.native_port),
            "DBT_CLICKHOUSE_HTTP_PORT": str(endpoint.http_port),
            "DBT_CLICKHOUSE_USER": endpoint.user,
            "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": endpoint.password,
        },
    )
    yield Warehouse(client, project)
    client.close()


@pytest.fixture
def empty_warehouse(warehouse_server: Warehouse) -> Warehouse:
    """Empty sources, no models."""
    warehouse_server.empty()
    return warehouse_server


@pytest.fixture(scope="module")
def small_world(warehouse_server: Warehouse) -> Warehouse:
    """The small synthetic world, its events stored as the sinker would store them; no models. Shared by a module."""
    warehouse_server.empty()
    load(
        "small",
        SEED,
        RUN_TIME,
        RUN_TIME,
        Targets(warehouse_server.client, (), None),
        force=True,
        say=print,
        events=lambda messages: store_events(warehouse_server, messages),
    )
    return warehouse_server


def store_events(warehouse: Warehouse, messages: Iterable, parsed_at: datetime = RUN_TIME) -> int:
    """Parse messages and insert them as the sinker does, without a broker in between; returns how many."""
    return direct_events.store(warehouse.client, messages, parsed_at)


@pytest.fixture(scope="session")
def models(manifest: dict) -> Callable[..., list[dict]]:
    """Models of the manifest, all or those with a tag."""

    def chosen(tag: str | None = None) -> list[dict]:
        found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
        return [node for node in found if tag is None or tag in node["tags"]]

    return chosen
