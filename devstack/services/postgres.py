"""PostgreSQL: the serving databases and Airflow's metadata, on a private server with full durability."""

from __future__ import annotations

import getpass
import os
import pwd
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import encrypt_password

from devstack.errors import StackError
from devstack.home import database_user
from devstack.processes import switch_user
from devstack.services.base import Service, base_environment
from devstack.settings import (
    AIRFLOW_DATABASE,
    HOST,
    POSTGRES_USER,
    SERVING_DATABASE,
    SERVING_STAGING_DATABASE,
    Secrets,
    StackSettings,
)

SUPERUSER = "postgres"
"""Reached only through the unix socket, by the stack's own user; it has no password."""

LONGEST_SOCKET_PATH = 100

CONFIGURATION = """\
# Written at every start by the local stack; changes belong into postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{socket_folder}'
max_connections = 80
shared_buffers = '128MB'
maintenance_work_mem = '128MB'
max_wal_size = '1GB'
jit = off
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_lock_waits = on
logging_collector = off
"""

ACCESS = """\
# The superuser comes through the unix socket, as the stack's own user. Everybody else needs a password.
local all {superuser} peer map=stack
local all all scram-sha-256
host all all {host}/32 scram-sha-256
"""


class PostgresService(Service):
    name = "postgres"
    port_names = ("postgres",)
    stop_signal = signal.SIGINT  # fast shutdown: ends sessions, writes a checkpoint
    databases = (SERVING_DATABASE, SERVING_STAGING_DATABASE, AIRFLOW_DATABASE)

    def __init__(self, settings: StackSettings, secrets: Secrets | None = None) -> None:
        super().__init__(settings, secrets)
        self.main = self._stack_process(self.name, owned_folder=self.data)

    @property
    def user(self) -> str | None:
        return database_user()

    @property
    def folder(self) -> Path:
        return self.data

    @property
    def socket_folder(self) -> Path:
        """Folder of the unix socket. A socket's path is limited to 107 bytes, so a deep home gets one under /tmp."""
        folder = self.settings.home.resolve() / "data" / "postgres_socket"
        if len(str(folder)) > LONGEST_SOCKET_PATH - len("/.s.PGSQL.65535"):
            return Path(tempfile.gettempdir()) / f"stir-postgres-{self.settings.port('postgres')}"
        return folder

    def environment(self) -> dict[str, str]:
        return base_environment(self.settings) | {"HOME": str(self.data)}

    def command(self) -> list[str | Path]:
        return [_programs() / "postgres", "-D", self.data]

    def prepare(self) -> None:
        owner = self._owner()
        for folder in (self.data, self.socket_folder):
            folder.mkdir(exist_ok=True)
            os.chown(folder, *owner)
            folder.chmod(0o700)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._require_same_version()
        self._remove_stale_pid_file()
        self._write(
            "postgresql.conf",
            CONFIGURATION.format(host=HOST, port=self.settings.port("postgres"), socket_folder=self.socket_folder),
        )
        self._write("pg_hba.conf", ACCESS.format(superuser=SUPERUSER, host=HOST))
        self._write("pg_ident.conf", f"stack {getpass.getuser()} {SUPERUSER}\n")

    def _owner(self) -> tuple[int, int]:
        if self.user is None:
            return os.getuid(), os.getgid()
        entry = pwd.getpwnam(self.user)
        return entry.pw_uid, entry.pw_gid

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text)
        os.chown(path, *self._owner())
        path.chmod(0o600)

    def _initialise(self) -> None:
        # The access rules that initdb writes are replaced before the server ever starts.
        command = [
            *(_programs() / "initdb", "-D", self.data, "--username", SUPERUSER, "--encoding", "UTF8"),
            *("--locale", "C.UTF-8", "--auth-local", "peer", "--auth-host", "reject"),
        ]
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.data,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            umask=self.umask,
            **switch_user(self.user),
        )
        if done.returncode != 0:
            raise StackError(f"PostgreSQL's data folder {self.data} could not be created: {done.stderr.strip()[-600:]}")

    def _require_same_version(self) -> None:
        data_version = (self.data / "PG_VERSION").read_text().strip()
        server_version = _programs().parent.name
        if data_version != server_version:
            raise StackError(
                f"The data in {self.data} is PostgreSQL {data_version}'s and the installed server is {server_version}: "
                f"install postgresql-{data_version}, or throw the data away with `make clean`."
            )

    def _remove_stale_pid_file(self) -> None:
        """Drop the pid file of a killed server.

        PostgreSQL refuses to start while the pid in that file lives, even if another program has it by now. At this
        point no process works in the data folder any more (`clear_leftovers` saw to it), so whoever has the pid is a
        stranger.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def superuser_connection(self, database: str = "postgres") -> Connection:
        """Connection with all rights, through the unix socket. Only the stack itself and its tests use it."""
        return psycopg2.connect(
            host=str(self.socket_folder),
            port=self.settings.port("postgres"),
            user=SUPERUSER,
            dbname=database,
            connect_timeout=2,
        )

    def connection(self, database: str = SERVING_DATABASE) -> Connection:
        """Connection as the platform's user, by password over TCP, as Airflow makes it."""
        return psycopg2.connect(
            host=HOST,
            port=self.settings.port("postgres"),
            user=POSTGRES_USER,
            password=self.secrets.postgres_password,
            dbname=database,
            connect_timeout=2,
        )

    def probe(self) -> bool:
        connection = self.superuser_connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                return cursor.fetchone() == (1,)
        finally:
            connection.close()

    def provision(self) -> None:
        """Create the platform's user and databases if they are missing."""
        admin = self.superuser_connection()
        try:
            admin.autocommit = True
            with admin.cursor() as cursor:
                self._create_user(cursor, admin)
                cursor.execute("SELECT datname FROM pg_database")
                existing = {name for (name,) in cursor.fetchall()}
                for database in self.databases:
                    if database not in existing:
                        cursor.execute(
                            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                                sql.Identifier(database), sql.Identifier(POSTGRES_USER)
                            )
                        )
        finally:
            admin.close()

    def _create_user(self, cursor, admin: Connection) -> None:
        # The server is given the SCRAM verifier, so that the password itself cannot end in its log.
        user, password = POSTGRES_USER, self.secrets.postgres_password
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user])
        if cursor.fetchone() is None:
            verifier = encrypt_password(password, user, admin, "scram-sha-256")
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(sql.Identifier(user)), [verifier])
        # Server-side COPY reads the exports that ssh has fetched.
        cursor.execute(sql.SQL("GRANT pg_read_server_files TO {}").format(sql.Identifier(user)))


def _programs() -> Path:
    """Folder of the newest installed PostgreSQL's server programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parent.parent.name))
    if not found:
        raise StackError("PostgreSQL's server is not installed: run `make up`, or `apt-get install postgresql`.")
    return found[-1].parent
