"""A publishing path with real servers: ClickHouse exports to S3, sshd fetches, PostgreSQL loads and swaps.

`Publishing` runs the tasks of the DAG in `dags/serving.py` one by one, with their own operators, templates and
connections; only the scheduler is left out.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_driver
import pytest
from stir.serving.declaration import Target
from stir.serving.naming import RunNames
from stir.serving.targets.leaderboard import LEADERBOARD

from devstack.environment import environment
from devstack.home import fetch_directory
from devstack.services import ClickHouseService, PostgresService, S3Service, SshdService
from schema.serving_tables import apply, serving_statements

STEPS = ("export", "manifest", "fetch", "load", "enrich", "guard", "index", "swap", "vacuum")
ROOT = Path(__file__).resolve().parents[3]
MONTH = "2026-10-01"


@dataclass
class Instance:
    """What the publication reads of a task instance."""

    dag_id: str
    run_id: str
    try_number: int = 1
    results: dict[str, Any] = field(default_factory=dict)

    def xcom_pull(self, task_ids: str) -> Any:
        return self.results.get(task_ids)


@dataclass
class Publishing:
    """One serving database, one mart, and the DAG between them."""

    postgres: PostgresService
    s3: S3Service
    sshd: SshdService
    clickhouse: clickhouse_driver.Client
    database: str
    folder: Path
    dag: Any
    target: Target = LEADERBOARD
    runs: int = 0

    def connect(self) -> Any:
        return self.postgres.connection(self.database)

    def query(self, sql: str, parameters: tuple | None = None) -> list[tuple]:
        """Rows of one statement, committed."""
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def new_run(self) -> Instance:
        self.runs += 1
        return Instance(self.dag.dag_id, f"manual__2026-11-21T10:00:00+00:00_{self.database}_{self.runs}")

    def cleared(self, ti: Instance) -> Instance:
        """The same run after an operator has cleared it: next try, no results."""
        return Instance(ti.dag_id, ti.run_id, ti.try_number + 1)

    def names(self, ti: Instance) -> RunNames:
        return self.dag.user_defined_macros["publication"].names(ti)

    def step(self, task_id: str, ti: Instance) -> Any:
        """Run one task as a worker does: render its templates, execute, keep the result for later tasks."""
        task = copy.copy(self.dag.get_task(task_id))
        context = {"ti": ti, "task_instance": ti, "dag": self.dag, "run_id": ti.run_id}
        if hasattr(task, "python_callable"):
            result = task.python_callable(ti=ti)
        else:
            task.render_template_fields(context)
            result = task.execute(context)
        ti.results[task_id] = json.loads(json.dumps(result)) if task.do_xcom_push else None
        return ti.results[task_id]

    def run(self, ti: Instance | None = None, *, until: str = "vacuum", after: str | None = None) -> Instance:
        """Run the steps in order, from the one after `after` up to and including `until`."""
        ti = ti or self.new_run()
        first = STEPS.index(after) + 1 if after else 0
        for task_id in STEPS[first : STEPS.index(until) + 1]:
            self.step(task_id, ti)
        return ti

    def rows(self, table: str = "leaderboard") -> int:
        return self.query(f"select count(*) from {table}")[0][0]

    def tables(self) -> set[str]:
        """Tables of this target in any state."""
        found = self.query("select relname from pg_class where relkind = 'r' and relname like 'leaderboard%'")
        return {name for (name,) in found}

    def objects(self) -> list[str]:
        listed = self.s3.client().list_objects_v2(Bucket="stir-exports", Prefix="data-pipeline/prod/leaderboard/")
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def fetched(self, ti: Instance) -> Path:
        """Where the fetched file of a run lies."""
        return self.folder / self.names(ti).file_name(ti.results["manifest"]["key"])

    def fill(self, rows: int, *, month: str = MONTH, profile: str = "concat('p', toString(number))") -> None:
        """Replace the mart by `rows` generated rows."""
        create_log(self.clickhouse)
        self.clickhouse.execute("drop table if exists dbt.mart_leaderboard sync")
        self.clickhouse.execute(mart_ddl(self.target))
        if rows:
            chosen = {
                "month": f"toDate('{month}')",
                "platform": "'INSTAGRAM'",
                "profile_platform": "if(number % 2 = 0, 'IA', 'YA')",
                "platform_id": profile,
                "followers": "toInt64(number) * 10",
                "followers_rank": "number + 1",
                "current_month_ranks": "map('followers_rank', number + 1)",
            }
            self.clickhouse.execute(
                f"insert into dbt.mart_leaderboard ({', '.join(chosen)}) "
                f"select {', '.join(chosen.values())} from numbers({rows})"
            )


def create_log(client: clickhouse_driver.Client) -> None:
    """The log that says how new the mart's data is. Other tests of the session drop or build database dbt anew."""
    client.execute("create database if not exists dbt")
    client.execute(
        "create table if not exists dbt.stg_beat_profile_log "
        "(event_timestamp DateTime('UTC'), insert_timestamp DateTime('UTC')) "
        "engine = MergeTree order by event_timestamp"
    )


def mart_ddl(target: Target) -> str:
    """The mart as its declaration says it is."""
    columns = ", ".join(f"`{column.name}` {column.clickhouse}" for column in target.exported)
    return f"create table {target.mart} ({columns}) engine = MergeTree order by tuple()"


@pytest.fixture(scope="session")
def serving_servers(
    postgres_service: PostgresService,
    s3_service: S3Service,
    clickhouse_service: ClickHouseService,
    sshd_service: SshdService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Any]]:
    """The four servers, and the platform's environment variables for them."""
    settings = postgres_service.settings
    before = dict(os.environ)
    variables = environment(settings, postgres_service.secrets)
    os.environ.update({name: value for name, value in variables.items() if name.startswith(("AIRFLOW_", "DBT_"))})
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
    folder = fetch_directory(settings).resolve()
    endpoint = clickhouse_service.endpoint
    client = clickhouse_driver.Client(
        host=endpoint.host, port=endpoint.native_port, user=endpoint.user, password=endpoint.password
    )
    create_log(client)
    sys.path.insert(0, str(ROOT / "dags"))
    import serving as dags

    yield {"clickhouse": client, "folder": folder, "dag": dags.sync_leaderboard_prod}
    sys.path.remove(str(ROOT / "dags"))
    os.environ.clear()
    os.environ.update(before)


@contextmanager
def serving_database(postgres: PostgresService, prefix: str) -> Iterator[str]:
    """A fresh database with the real serving schema, owned by the loading user."""
    database = prefix + uuid.uuid4().hex[:8]
    _as_superuser(postgres, f"create database {database} owner stir")
    with closing(postgres.connection(database)) as serving:
        apply(serving, serving_statements())
    yield database
    _as_superuser(postgres, f"drop database if exists {database} with (force)")


def _as_superuser(postgres: PostgresService, statement: str) -> None:
    with closing(postgres.superuser_connection()) as admin:
        admin.autocommit = True
        admin.cursor().execute(statement)


@pytest.fixture
def publishing(
    serving_servers: dict[str, Any],
    postgres_service: PostgresService,
    s3_service: S3Service,
    sshd_service: SshdService,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Publishing]:
    """A fresh serving database with the real schema, and connection `prod_pg` pointing at it."""
    with serving_database(postgres_service, "serving_") as database:
        connection = json.loads(os.environ["AIRFLOW_CONN_PROD_PG"])
        monkeypatch.setenv("AIRFLOW_CONN_PROD_PG", json.dumps(connection | {"schema": database}))
        yield Publishing(
            postgres_service,
            s3_service,
            sshd_service,
            serving_servers["clickhouse"],
            database,
            serving_servers["folder"],
            serving_servers["dag"],
        )
