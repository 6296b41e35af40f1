"""Creating the serving tables in PostgreSQL and comparing them with their DDL.

As for ClickHouse, the wanted columns are read back from the server: the DDL runs in a scratch schema inside a
transaction that is rolled back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from schema.statements import SchemaError, Statement, read_statements

if TYPE_CHECKING:
    import psycopg2.extensions

DIRECTORY = Path(__file__).parent / "serving"
FOREIGN = Path(__file__).parent / "foreign" / "serving"
APPLY_LOCK = 7_201_330_001  # any constant: two runs of `apply` wait for each other
Columns = dict[tuple[str, str], str]

_COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = %s and c.relkind in ('r', 'p')
order by c.relname, a.attnum
"""


def own_statements() -> list[Statement]:
    """Statements of the tables that the platform publishes, files in alphabetical order."""
    return _statements(DIRECTORY)


def foreign_statements() -> list[Statement]:
    """The same for the product's own tables, which the loads read."""
    return _statements(FOREIGN)


def serving_statements() -> list[Statement]:
    """Statements of every table that the platform writes or reads."""
    return foreign_statements() + own_statements()


def apply(connection: psycopg2.extensions.connection, statements: list[Statement]) -> list[str]:
    """Create what is missing, in one transaction. Returns one line per change.

    Columns that the DDL gained are added; a column of another type raises SchemaError.
    """
    wanted = _wanted_columns(connection, statements)
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (APPLY_LOCK,))
        before = _columns(cursor, "public")
        _refuse_other_types(wanted, before)
        # Before the statements: an index of theirs may stand on a column that an older table does not have yet.
        added = _add_missing_columns(cursor, wanted, before)
        _run(cursor, statements)
        after = _columns(cursor, "public")
    created = sorted({table for table, _ in after} - {table for table, _ in before})
    return [f"created {table}" for table in created] + added


def differences(connection: psycopg2.extensions.connection, statements: list[Statement]) -> list[str]:
    """One line for each table or column that is missing or has another type. Changes nothing."""
    wanted = _wanted_columns(connection, statements)
    with connection, connection.cursor() as cursor:
        present = _columns(cursor, "public")
    existing = {table for table, _ in present}
    return [f"{table} does not exist" for table in sorted({table for table, _ in wanted} - existing)] + [
        f"{table}.{column} is {present.get((table, column), 'missing')}, expected {kind}"
        for (table, column), kind in wanted.items()
        if table in existing and present.get((table, column)) != kind
    ]


def _statements(directory: Path) -> list[Statement]:
    return [statement for path in sorted(directory.glob("*.sql")) for statement in read_statements(path)]


def _run(cursor: psycopg2.extensions.cursor, statements: list[Statement]) -> None:
    import psycopg2

    for statement in statements:
        try:
            cursor.execute(statement.text)
        except psycopg2.Error as error:
            raise SchemaError(f"{statement} failed: {str(error).strip().splitlines()[0]}") from error


def _wanted_columns(connection: psycopg2.extensions.connection, statements: list[Statement]) -> Columns:
    with connection.cursor() as cursor:
        try:
            cursor.execute("create schema schema_check")
            cursor.execute("set local search_path to schema_check, public")
            _run(cursor, statements)
            return _columns(cursor, "schema_check")
        finally:
            connection.rollback()


def _columns(cursor: psycopg2.extensions.cursor, schema: str) -> Columns:
    cursor.execute(_COLUMNS, (schema,))
    return {(table, column): kind for table, column, kind in cursor.fetchall()}


def _add_missing_columns(cursor: psycopg2.extensions.cursor, wanted: Columns, present: Columns) -> list[str]:
    from psycopg2 import sql

    existing = {table for table, _ in present}
    changes = []
    for (table, column), kind in wanted.items():
        if table in existing and (table, column) not in present:
            cursor.execute(
                sql.SQL("alter table {} add column {} ").format(sql.Identifier(table), sql.Identifier(column))
                + sql.SQL(kind)
            )
            changes.append(f"added column {table}.{column} {kind}")
    return changes


def _refuse_other_types(wanted: Columns, present: Columns) -> None:
    wrong = [
        f"{table}.{column} is {present[table, column]}, expected {kind}"
        for (table, column), kind in wanted.items()
        if (table, column) in present and present[table, column] != kind
    ]
    if wrong:
        raise SchemaError("; ".join(wrong) + ". Convert it with ALTER TABLE ... ALTER COLUMN ... TYPE")
