"""The ways of carrying a mart into a table of PostgreSQL that the publishing path is compared with.

Each ends with the same typed rows in the run's staged table, in which the enrichment would find them.
"""

# ruff: noqa: S608 -- SQL is built from constants and declarations

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stir.serving.export import EXPORT_SETTINGS, NAMED_COLLECTION, StagingFormat, exported_value, quoted
from stir.serving.load import literal, load_statements
from stir.serving.naming import RunNames

from benchmarks.serving_path.servers import Servers
from devstack.settings import EXPORT_BUCKET, HOST, POSTGRES_USER, SERVING_DATABASE

LINES_KEY = "benchmark/replaced.jsonl.zst"


@dataclass(frozen=True)
class Ways:
    """`names` are those of a run that ends with the load; `folder` is the database host's for fetched files."""

    servers: Servers
    names: RunNames
    folder: Path

    @property
    def columns(self) -> str:
        return ", ".join(column.name for column in self.names.target.exported)

    @property
    def typed(self) -> str:
        return ", ".join(f"{column.name} {column.postgres}" for column in self.names.target.exported)

    @property
    def lines(self) -> Path:
        return self.folder / "benchmark.jsonl"

    def drop(self) -> None:
        self.execute(f"drop table if exists {self.names.staged_table}, {self.names.working_table}")

    def execute(self, statements: str) -> None:
        """One transaction."""
        with closing(self.servers.postgres.connection()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statements)

    # The replaced path: JSON lines of whatever the mart holds, through the object store, text COPY, typed INSERT

    def replaced_export(self) -> None:
        client = self.servers.client()
        client.execute(
            f"insert into function s3({NAMED_COLLECTION}, filename = '{LINES_KEY}', format = 'JSONEachRow')\n"
            f"select * from {self.names.target.mart}",
            settings={**EXPORT_SETTINGS, "s3_truncate_on_insert": 1},
        )

    def replaced_fetch(self) -> None:
        """Packed on the way, which the path that was replaced did not do: it would have moved the whole text."""
        path = shlex.quote(str(self.lines))
        done = self.servers.sshd.run(
            f"set -e; aws s3 cp --only-show-errors s3://{EXPORT_BUCKET}/{LINES_KEY} {path}.zst; "
            f"zstd -d -q -f --rm {path}.zst -o {path}",
            seconds=1800,
        )
        if done.returncode:
            raise SystemExit(f"the replaced path's fetch failed: {done.stderr}")

    def replaced_load(self) -> None:
        casts = ", ".join(f"(data->>'{column.name}')::{column.postgres}" for column in self.names.target.exported)
        self.execute(
            "create temporary table lines (data jsonb) on commit drop;\n"
            f"copy lines from {literal(str(self.lines))};\n"
            f"create unlogged table {self.names.staged_table} ({self.typed});\n"
            f"insert into {self.names.staged_table} ({self.columns}) select {casts} from lines;\n"
            f"alter table {self.names.staged_table} set logged;"
        )

    # The load step, and the limit of it

    def load(self, file: Path, staging_format: StagingFormat) -> None:
        self.execute(load_statements(self.names, str(file), staging_format))

    def bare_copy(self, file: Path) -> None:
        self.execute(
            f"create table {self.names.staged_table} ({self.typed});\n"
            f"copy {self.names.staged_table} from {literal(str(file))} with (freeze true);"
        )

    # Straight from ClickHouse

    def postgresql_function(self) -> None:
        """ClickHouse connects to PostgreSQL and copies its blocks into the table."""
        self.execute(f"create table {self.names.staged_table} ({self.typed})")
        postgres = self.servers.postgres
        address = quoted(f"{HOST}:{postgres.settings.port('postgres')}")
        login = f"{quoted(POSTGRES_USER)}, {quoted(postgres.secrets.postgres_password)}"
        self.servers.client().execute(
            f"insert into function postgresql({address}, '{SERVING_DATABASE}', '{self.names.staged_table}', {login}) "
            f"({self.columns})\nselect {self._values()} from {self.names.target.relation}",
            settings=EXPORT_SETTINGS,
        )

    # Through the worker

    def through_worker(self) -> None:
        """ClickHouse writes the lines, the worker hands them on to COPY FROM STDIN as they come.

        Over the native protocol: the local server gives an HTTP answer only as a whole.
        """
        values = f"formatRow('TabSeparated', {self._values()})"
        rows = self.servers.client().execute_iter(
            f"select {values} from {self.names.target.relation}",
            settings={**EXPORT_SETTINGS, "strings_as_bytes": True},
        )
        with closing(self.servers.postgres.connection()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"create table {self.names.staged_table} ({self.typed})")
            cursor.copy_expert(
                f"copy {self.names.staged_table} ({self.columns}) from stdin with (freeze true)",
                Lines(row[0] for row in rows),
            )

    def _values(self) -> str:
        return ", ".join(f"{exported_value(column)} as `{column.name}`" for column in self.names.target.exported)


class Lines:
    """What COPY reads from: lines as they arrive, nothing kept."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def read(self, size: int) -> bytes:
        taken, length = [], 0
        for line in self._lines:
            taken.append(line)
            length += len(line)
            if length >= size // 2:  # COPY asks for 8 KB; more than that would be refused
                break
        return b"".join(taken)
