"""Airflow as separate processes on PostgreSQL: API server with UI, scheduler, DAG processor, if asked a triggerer."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import httpx
import psycopg2

from devstack.environment import airflow_home, airflow_password_file, environment
from devstack.errors import StackError
from devstack.services.base import Service, base_environment, write_private
from devstack.settings import AIRFLOW_DATABASE, AIRFLOW_USER, HOST, REPOSITORY, Secrets, StackSettings, postgres_dsn

AIRFLOW = (sys.executable, "-m", "airflow")
POOLS = REPOSITORY / "dags" / "pools.json"


class AirflowService(Service):
    """What the processes of Airflow share."""

    needs = ("postgres",)
    ready_within = 180.0
    patience = 20.0

    def __init__(self, settings: StackSettings, secrets: Secrets | None = None) -> None:
        super().__init__(settings, secrets)
        self.main = self._stack_process(self.name, owned_folder=self.folder)

    @property
    def data(self) -> Path:
        return airflow_home(self.settings)

    def environment(self) -> dict[str, str]:
        # Two malloc arenas instead of eight per core: each process keeps some 50 MB less.
        own = {"MALLOC_ARENA_MAX": "2", "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
        return base_environment(self.settings) | environment(self.settings, self.secrets) | own

    @property
    def folder(self) -> Path:
        """A folder for each process, by which the executor's workers are known when their scheduler was killed."""
        return self.data / "processes" / self.name

    def prepare(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_private(self.data / "passwords.json", airflow_password_file(self.secrets))
        self._migrate()

    def _migrate(self) -> None:
        """Bring the metadata database to this version of Airflow.

        Takes 8 s even if nothing is to do, so a note remembers for which version and which database it was done.
        """
        note = self.data / "migrated.json"
        with (self.data / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # all processes start at once, one of them migrates
            done_for = json.dumps({"airflow": version("apache-airflow-core"), "database": self._database_identity()})
            if note.exists() and note.read_text() == done_for:
                return
            done = subprocess.run(
                [*AIRFLOW, "db", "migrate"],
                env=self.environment(),
                cwd=self.data,
                capture_output=True,
                text=True,
                check=False,
            )
            (self.settings.logs / "airflow_migrate.log").write_text(done.stdout + done.stderr)
            if done.returncode != 0:
                end = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
                raise StackError(f"Airflow's database could not be migrated; the end of airflow_migrate.log:\n{end}")
            note.write_text(done_for)

    def _connect(self):
        return psycopg2.connect(postgres_dsn(self.settings, self.secrets, AIRFLOW_DATABASE), connect_timeout=2)

    def _database_identity(self) -> str:
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid "
                    "FROM pg_database WHERE datname = current_database()"
                )
                return cursor.fetchone()[0]
        finally:
            connection.close()


class AirflowApiService(AirflowService):
    name = "airflow-api"
    port_names = ("airflow",)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.settings.port('airflow')}"

    def command(self) -> list[str | Path]:
        port = str(self.settings.port("airflow"))
        return [*AIRFLOW, "api-server", "--host", HOST, "--port", port, "--workers", "1"]

    def probe(self) -> bool:
        health = httpx.get(f"{self.address}/api/v2/monitor/health", timeout=2).json()
        return health["metadatabase"]["status"] == "healthy"

    def provision(self) -> None:
        """Create or correct the pools of `dags/pools.json`."""
        if not POOLS.exists():
            return
        with httpx.Client(base_url=self.address, timeout=10) as client:
            login = {"username": AIRFLOW_USER, "password": self.secrets.airflow_password}
            token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            for name, pool in json.loads(POOLS.read_text()).items():
                body = {"include_deferred": False} | pool
                reply = client.post("/api/v2/pools", json={"name": name} | body)
                if reply.status_code == 409:
                    reply = client.patch(f"/api/v2/pools/{name}", json={"pool": name} | body)
                if reply.is_error:
                    raise StackError(f"Airflow refused the pool {name!r} of {POOLS}: {reply.text[:300]}")


class AirflowJobService(AirflowService):
    """A process of Airflow that reports its life as a job in the metadata database."""

    subcommand: ClassVar[tuple[str, ...]]
    job_type: ClassVar[str]

    @property
    def address(self) -> str:
        return "-"

    def command(self) -> list[str | Path]:
        return [*AIRFLOW, *self.subcommand]

    def probe(self) -> bool:
        """True if the job of this very process has sent a heartbeat lately."""
        process = self.main.process()
        started = datetime.fromtimestamp(process.create_time() - 2, UTC)
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM job WHERE job_type = %s AND state = 'running' AND start_date >= %s "
                    "AND latest_heartbeat > now() - interval '60 seconds'",
                    [self.job_type, started],
                )
                return cursor.fetchone()[0] > 0
        finally:
            connection.close()


class AirflowSchedulerService(AirflowJobService):
    name = "airflow-scheduler"
    job_type = "SchedulerJob"
    subcommand = ("scheduler", "--skip-serve-logs")  # its log server would listen on every interface


class AirflowDagProcessorService(AirflowJobService):
    name = "airflow-dag-processor"
    job_type = "DagProcessorJob"
    subcommand = ("dag-processor",)


class AirflowTriggererService(AirflowJobService):
    name = "airflow-triggerer"
    job_type = "TriggererJob"
    subcommand = ("triggerer", "--skip-serve-logs")
