"""The four servers of the publishing path, private to one run, and the environment that the tasks find them by."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import clickhouse_driver

from devstack.environment import environment
from devstack.home import fetch_directory
from devstack.ports import free_port_base
from devstack.services import ClickHouseService, PostgresService, S3Service, SshdService
from devstack.settings import StackSettings
from schema.serving_tables import apply, serving_statements


@dataclass(frozen=True)
class Servers:
    postgres: PostgresService
    clickhouse: ClickHouseService
    s3: S3Service
    sshd: SshdService

    @property
    def folder(self) -> Path:
        """Where the database host keeps fetched files."""
        return fetch_directory(self.postgres.settings).resolve()

    def client(self) -> clickhouse_driver.Client:
        """A new connection to ClickHouse. A client belongs to one process."""
        here = self.clickhouse.endpoint
        return clickhouse_driver.Client(
            host=here.host,
            port=here.native_port,
            user=here.user,
            password=here.password,
            send_receive_timeout=3600,
        )

    def checkpoint(self) -> None:
        """Let nobody pay for the pages that the one before left dirty."""
        with closing(self.postgres.superuser_connection()) as admin:
            admin.autocommit = True
            admin.cursor().execute("checkpoint")
        os.sync()


@contextmanager
def serving_servers() -> Iterator[Servers]:
    """Start the servers with the serving schema, and set this process's environment for the tasks."""
    home = Path(tempfile.mkdtemp(prefix="stir-benchmark-"))
    home.chmod(0o711)
    settings = StackSettings(home=home / "stack", port_base=free_port_base(reserve=True), ports={}, clickhouse_url="")
    before = dict(os.environ)
    try:
        with ExitStack() as stack:
            started = [
                stack.enter_context(service(settings))
                for service in (PostgresService, ClickHouseService, S3Service, SshdService)
            ]
            servers = Servers(*started)
            variables = environment(settings, servers.postgres.secrets)
            os.environ.update({k: v for k, v in variables.items() if k.startswith(("AIRFLOW_", "DBT_"))})
            os.environ["AIRFLOW_HOME"] = str(home / "airflow")
            with closing(servers.postgres.connection()) as connection:
                apply(connection, serving_statements())
            yield servers
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home, ignore_errors=True)
