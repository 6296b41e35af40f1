"""Creating the source databases in ClickHouse and comparing them with their DDL.

The wanted columns are not parsed from the text: the DDL is run in a scratch database and read back from the server, so
comparison and creation cannot disagree about what a statement means.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from schema.statements import SchemaError, Statement, read_statements

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DIRECTORY = Path(__file__).parent / "clickhouse"
FOREIGN = Path(__file__).parent / "foreign" / "clickhouse"
Columns = dict[tuple[str, str], str]  # (table, column) -> type


def own_databases() -> dict[str, list[Statement]]:
    """Statements by database of what the platform writes; the name of a file is the name of its database."""
    return _databases(DIRECTORY)


def foreign_databases() -> dict[str, list[Statement]]:
    """The same for what others fill and the platform reads: replicas, bought dumps, outputs of data science."""
    return _databases(FOREIGN)


def source_databases() -> dict[str, list[Statement]]:
    """Statements of every table that models and DAGs read, by database."""
    databases = foreign_databases()
    for database, statements in own_databases().items():
        databases[database] = databases.get(database, []) + statements
    return dict(sorted(databases.items()))


def apply(client: Client, database: str, statements: list[Statement]) -> list[str]:
    """Create the database and what is missing in it. Returns one line per change; empty when nothing had to be done.

    Columns that the DDL gained since the table was made are added at their end. A column of another type raises
    SchemaError: the data must not be touched silently.
    """
    tables_before = _tables(client, database)
    client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    _run(client, database, statements)
    changes = [f"created {database}.{table}" for table in sorted(_tables(client, database) - tables_before)]
    wanted, present = _wanted_columns(client, database, statements), _columns(client, database)
    _refuse_other_types(database, wanted, present)
    for (table, column), kind in wanted.items():
        if (table, column) not in present:
            client.command(f"ALTER TABLE {database}.`{table}` ADD COLUMN IF NOT EXISTS `{column}` {kind}")
            changes.append(f"added column {database}.{table}.{column} {kind}")
    return changes


def differences(client: Client, database: str, statements: list[Statement]) -> list[str]:
    """One line for each table or column that is missing or has another type. Changes nothing in the database."""
    wanted, present = _wanted_columns(client, database, statements), _columns(client, database)
    existing = {table for table, _ in present}
    missing_tables = sorted({table for table, _ in wanted} - existing)
    return [f"{database}.{table} does not exist" for table in missing_tables] + [
        f"{database}.{table}.{column} is {present.get((table, column), 'missing')}, expected {kind}"
        for (table, column), kind in wanted.items()
        if table in existing and present.get((table, column)) != kind
    ]


def _databases(directory: Path) -> dict[str, list[Statement]]:
    return {path.stem: read_statements(path) for path in sorted(directory.glob("*.sql"))}


def _run(client: Client, database: str, statements: list[Statement]) -> None:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    previous, client.database = client.database, database
    try:
        for statement in statements:
            try:
                client.command(statement.text)
            except ClickHouseError as error:
                reason = str(error).strip().splitlines()[0][:400]
                raise SchemaError(f"{statement} failed in database {database}: {reason}") from error
    finally:
        client.database = previous


def _wanted_columns(client: Client, database: str, statements: list[Statement]) -> Columns:
    scratch = f"schema_check_{database}_{uuid.uuid4().hex[:8]}"
    client.command(f"CREATE DATABASE {scratch}")
    try:
        _run(client, scratch, statements)
        return _columns(client, scratch)
    finally:
        client.command(f"DROP DATABASE IF EXISTS {scratch} SYNC")


def _columns(client: Client, database: str) -> Columns:
    rows = client.query(
        "SELECT table, name, type FROM system.columns WHERE database = {database:String} ORDER BY table, position",
        parameters={"database": database},
    ).result_rows
    return {(table, name): kind for table, name, kind in rows}


def _tables(client: Client, database: str) -> set[str]:
    return {table for table, _ in _columns(client, database)}


def _refuse_other_types(database: str, wanted: Columns, present: Columns) -> None:
    wrong = [
        f"{database}.{table}.{column} is {present[table, column]}, expected {kind}"
        for (table, column), kind in wanted.items()
        if (table, column) in present and present[table, column] != kind
    ]
    if wrong:
        raise SchemaError(
            "; ".join(wrong)
            + ". Convert it (ALTER TABLE ... MODIFY COLUMN) or, where the data is synthetic, "
            + f"DROP DATABASE {database} and apply again"
        )
