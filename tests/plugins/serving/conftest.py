"""A publishing path with real servers: ClickHouse exports to S3, sshd fetches, PostgreSQL loads and swaps.

`Publishing` runs the tasks of the DAG in `dags/serving.py` one by one, with their own operators, templates and
connections; only the scheduler is left out.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_driver
import psutil
import pytest
from airflow.sdk.exceptions import AirflowFailException
from stir.serving import load
from stir.serving.declaration import Target
from stir.serving.naming import RunNames, part_names
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
    filled: set[tuple[int, int]] = field(default_factory=set)
    """Rows and sum of followers of every generation that the mart has held."""
    server_died: bool = False

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

    def run_persistently(self, ti: Instance, *, seconds: float = 60) -> None:
        """All steps of a run, each tried again for a while, as Airflow does, unless it is a refusal."""
        for task_id in STEPS:
            until = time.monotonic() + seconds
            while True:
                try:
                    self.step(task_id, ti)
                    break
                except AirflowFailException:
                    raise
                except Exception:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.2)

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

    def fetched_parts(self, ti: Instance) -> list[Path]:
        """Where the parts of a run's fetched file lie."""
        path = self.fetched(ti)
        return [path.with_name(name) for name in part_names(path.name, ti.results["manifest"]["parts"])]

    def replace_object(self, key: str, body: bytes) -> None:
        self.s3.client().put_object(Bucket="stir-exports", Key=key, Body=body)

    def object_body(self, key: str) -> bytes:
        return self.s3.client().get_object(Bucket="stir-exports", Key=key)["Body"].read()

    def kill_postgres(self) -> None:
        """SIGKILL to the server and all its backends."""
        self.server_died = True
        server = psutil.Process(self.postgres.main.process().pid)
        for process in (*server.children(), server):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def attempt(self, task_id: str, ti: Instance) -> tuple[threading.Thread, list[Exception]]:
        """Run one step in a thread; its error is put into the list."""
        failures: list[Exception] = []

        def work() -> None:
            try:
                self.step(task_id, ti)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        return thread, failures

    def wait_for(self, condition: str, seconds: float = 60) -> None:
        """Until a query on the serving database gives a row."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                cursor.execute(condition)
                if cursor.fetchone():
                    return
                time.sleep(0.02)
        raise TimeoutError(f"never true: {condition}")

    def restart_postgres(self) -> None:
        self.postgres.start()
        self.postgres.wait_ready()

    def fill(self, rows: int, *, month: str = MONTH, profile: str = "concat('p', toString(number))") -> None:
        """Replace the mart by `rows` generated rows."""
        self.filled.add((rows, 5 * rows * (rows - 1)))
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
    columns = ", ".join(f"`{column.mart_column}` {column.clickhouse}" for column in target.exported)
    return f"create table {target.mart} ({columns}) engine = MergeTree order by tuple()"


@pytest.fixture(scope="module")
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


@contextmanager
def reading(publishing: Publishing, *query: str) -> Iterator[None]:
    """A process selects from the live table all the while; by `query`, if one is given.

    It must have seen whole generations only, each as the mart once held it, and no error. Where the test killed the
    server its connection may break; it connects anew.
    """
    connection = publishing.postgres.settings
    variables = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(connection.port("postgres")),
        "PGUSER": "stir",
        "PGPASSWORD": publishing.postgres.secrets.postgres_password,
        "PGDATABASE": publishing.database,
        "PGAPPNAME": "generation reader",
    }
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("generation_reader.py")), *query],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )
    try:
        assert process.stdout.readline() == "reading\n"
        yield
        told = json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.wait()
    assert told["errors"] == []
    assert publishing.server_died or told["lost"] == 0
    assert {tuple(each) for each in told["seen"]} <= publishing.filled


@pytest.fixture
def watched(publishing: Publishing) -> Iterator[Publishing]:
    """A database in which nothing was published yet, read by another process all the while."""
    publishing.filled.add((0, 0))
    with reading(publishing):
        yield publishing


@pytest.fixture
def split_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads of few rows are split too."""
    monkeypatch.setattr(load, "WORTH_SPLITTING", 0)


@pytest.fixture
def live(publishing: Publishing) -> Iterator[Publishing]:
    """A database in which one generation of 100 rows is live, read by another process all the while."""
    publishing.fill(100)
    publishing.run()
    assert publishing.rows() == 100
    with reading(publishing):
        yield publishing
