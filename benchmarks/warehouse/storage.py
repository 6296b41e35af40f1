"""The largest tables of the warehouse, stored in other ways: bytes on disk, and seconds to write and to read them."""

# ruff: noqa: S608 -- names come from the server's own list of tables

from __future__ import annotations

import time
from statistics import median

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from rich.table import Table

from benchmarks.warehouse.report import MEGABYTE, table_of
from devstack.services import ClickHouseService

COPIES = "stored_otherwise"
FEW_VALUES = 10_000
READS = 3
ZSTD = "default_compression_codec = 'ZSTD(1)'"


def storage(size: str, service: ClickHouseService, tables: int) -> Table:
    """Each of the largest tables as it is, with ZSTD(1), and with LowCardinality for texts of few values (FEW_VALUES).

    All three are fresh copies in one part. Read is every column of every row, the median of READS.
    """
    endpoint = service.endpoint
    client = clickhouse_connect.get_client(
        host=endpoint.host, port=endpoint.http_port, username=endpoint.user, password=endpoint.password
    )
    client.command(f"create database if not exists {COPIES}")
    shown = table_of(
        f"storage, {size} world", "table", "rows", "MB", "read s", "ZSTD: MB", "read s", "write s (as it is)",
        "dictionaries: MB", "read s", "columns",
    )  # fmt: skip
    found = client.query(
        "select name, sorting_key, total_rows from system.tables where database = 'dbt' and total_bytes > 0 "
        f"order by total_bytes desc limit {tables}"
    ).result_rows
    for name, key, rows in found:
        few = _texts_of_few_values(client, name)
        dictionaries = ", ".join(f"toLowCardinality(`{column}`) as `{column}`" for column in few)
        plain = _stored(client, name, key, "*", "")
        packed = _stored(client, name, key, "*", f", {ZSTD}")
        coded = _stored(client, name, key, f"* replace ({dictionaries})", "") if few else plain
        shown.add_row(
            name, f"{rows:,}", f"{plain[0] / MEGABYTE:.1f}", f"{plain[2]:.2f}",
            f"{packed[0] / MEGABYTE:.1f}", f"{packed[2]:.2f}", f"{packed[1]:.1f} ({plain[1]:.1f})",
            f"{coded[0] / MEGABYTE:.1f}", f"{coded[2]:.2f}", str(len(few)),
        )  # fmt: skip
    return shown


def _texts_of_few_values(client: Client, table: str) -> list[str]:
    texts = client.query(
        "select name from system.columns where database = 'dbt' and table = {table:String} "
        "and type in ('String', 'Nullable(String)') and not is_in_sorting_key",
        parameters={"table": table},
    ).result_columns
    if not texts or not texts[0]:
        return []
    uniques = ", ".join(f"uniq(`{name}`)" for name in texts[0])
    counts = client.query(f"select {uniques} from dbt.{table}").result_rows[0]
    return [name for name, values in zip(texts[0], counts, strict=True) if values <= FEW_VALUES]


def _stored(client: Client, table: str, key: str, columns: str, settings: str) -> tuple[int, float, float]:
    """Bytes on disk, seconds to write, seconds to read one copy, which is dropped again."""
    copy = f"{COPIES}.{table}"
    begun = time.perf_counter()
    client.command(
        f"create table {copy} engine = MergeTree order by ({key}) settings allow_nullable_key = 1{settings} "
        f"as select {columns} from dbt.{table}"
    )
    written = time.perf_counter() - begun
    client.command(f"optimize table {copy} final")
    size = client.query(
        f"select sum(bytes_on_disk) from system.parts where active and database = '{COPIES}' and table = '{table}'"
    ).result_rows[0][0]
    reads = []
    for _ in range(READS):
        begun = time.perf_counter()
        client.query(f"select count() from {copy} where not ignore(*)")
        reads.append(time.perf_counter() - begun)
    client.command(f"drop table {copy} sync")
    return size, written, median(reads)
