"""Bulk writing: Arrow tables into ClickHouse, columns of text into PostgreSQL by COPY."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv

if TYPE_CHECKING:
    import psycopg2.extensions
    from clickhouse_connect.driver.client import Client


class WorldError(Exception):
    """The world cannot be written or read; one sentence that says what to do."""


@dataclass
class Ledger:
    """Rows and seconds per step, in the order in which they happened."""

    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time of the block to `name`."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

    def count(self, table: str, rows: int) -> None:
        self.rows[table] = self.rows.get(table, 0) + rows


def insert(client: Client, ledger: Ledger, table: str, rows: pa.Table) -> None:
    """Insert an Arrow table into `database.table`; columns that it does not have get their default (NULL)."""
    if rows.num_rows:
        database, _, name = table.partition(".")
        client.insert_arrow(f"`{name}`", rows, database=database)
        ledger.count(table, rows.num_rows)


def copy(connection: psycopg2.extensions.connection, ledger: Ledger, table: str, rows: pa.Table) -> None:
    """COPY an Arrow table into a PostgreSQL table. NULL is an unquoted empty field; empty text is quoted."""
    if not rows.num_rows:
        return
    buffer = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    pyarrow.csv.write_csv(rows, buffer, options)
    buffer.seek(0)
    columns = ", ".join(f'"{name}"' for name in rows.column_names)
    with connection.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table}" ({columns}) FROM STDIN WITH (FORMAT csv)', buffer)
    ledger.count(f"serving.{table}", rows.num_rows)
