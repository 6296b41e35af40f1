"""`python -m schema apply`: create the source databases in ClickHouse and the serving tables in PostgreSQL.

Idempotent; waits for nothing. Exit codes: 0 done, 1 a server or a statement failed, 2 `--check` found differences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from schema import clickhouse_sources, serving_tables
from schema.connections import (
    clickhouse_address,
    connect_clickhouse,
    connect_serving,
    serving_dsn,
)
from schema.statements import SchemaError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    both = not options.clickhouse and not options.serving
    try:
        lines = []
        if options.clickhouse or both:
            lines += list(_clickhouse(options.check))
        if options.serving or both:
            lines += list(_serving(options.check))
    except SchemaError as error:
        print(f"schema: {error}", file=sys.stderr)
        return 1
    return 2 if options.check and any(lines) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m schema", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    apply = commands.add_parser("apply", help="create databases, tables and columns that are missing")
    apply.add_argument("--clickhouse", action="store_true", help="only the source databases in ClickHouse")
    apply.add_argument("--serving", action="store_true", help="only the serving tables in PostgreSQL, both databases")
    apply.add_argument(
        "--check", action="store_true", help="change nothing, list what differs, exit 2 if anything does"
    )
    return parser


def _clickhouse(check: bool) -> Iterator[bool]:
    address = clickhouse_address()
    client = connect_clickhouse(address)
    try:
        for database, statements in clickhouse_sources.source_databases().items():
            work: Callable[..., list[str]] = clickhouse_sources.differences if check else clickhouse_sources.apply
            yield _report(f"clickhouse {database}", len(statements), work(client, database, statements))
    finally:
        client.close()


def _serving(check: bool) -> Iterator[bool]:
    statements = serving_tables.serving_statements()
    for environment in ("production", "staging"):
        connection = connect_serving(serving_dsn(environment))
        try:
            work = serving_tables.differences if check else serving_tables.apply
            yield _report(f"serving {environment}", len(statements), work(connection, statements))
        finally:
            connection.close()


def _report(name: str, statements: int, lines: list[str]) -> bool:
    print(f"{name}: {statements} statements, " + (f"{len(lines)} differences" if lines else "nothing to do"))
    for line in lines:
        print(f"  {line}")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
