"""`python -m schema apply`: create the platform's tables in ClickHouse and PostgreSQL, compare those of others.

Tables that others fill (replicas, bought dumps, the product's own) are not touched: what differs is printed and stops
nothing. `--foreign-tables` creates and completes them too, empty, for a stack that has no replicas.

Idempotent; waits for nothing. Exit codes: 0 done, 1 a server or a statement failed, 2 `--check` found differences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from schema import clickhouse_sources, serving_tables
from schema.connections import (
    clickhouse_address,
    connect_clickhouse,
    connect_serving,
    serving_dsn,
)
from schema.statements import SchemaError

OF_OTHERS = " (filled by others)"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    both = not options.clickhouse and not options.serving
    foreign = options.foreign_tables
    try:
        differ = []
        if options.clickhouse or both:
            differ += list(_clickhouse(options.check, foreign))
        if options.serving or both:
            differ += list(_serving(options.check, foreign))
    except SchemaError as error:
        print(f"schema: {error}", file=sys.stderr)
        return 1
    return 2 if options.check and any(differ) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m schema", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    apply = commands.add_parser("apply", help="create databases, tables and columns that are missing")
    apply.add_argument("--clickhouse", action="store_true", help="only ClickHouse")
    apply.add_argument("--serving", action="store_true", help="only PostgreSQL, both serving databases")
    apply.add_argument(
        "--foreign-tables", action="store_true", help="create what others fill as well: on servers without replicas"
    )
    apply.add_argument(
        "--check", action="store_true", help="change nothing, list what differs, exit 2 if anything does"
    )
    return parser


def _clickhouse(check: bool, foreign: bool) -> Iterator[bool]:
    address = clickhouse_address()
    client = connect_clickhouse(address)
    try:
        for database, statements in clickhouse_sources.own_databases().items():
            work = clickhouse_sources.differences if check else clickhouse_sources.apply
            yield _report(f"clickhouse {database}", len(statements), work(client, database, statements))
        for database, statements in clickhouse_sources.foreign_databases().items():
            work = clickhouse_sources.apply if foreign and not check else clickhouse_sources.differences
            yield _report(f"clickhouse {database}{OF_OTHERS}", len(statements), work(client, database, statements))
    finally:
        client.close()


def _serving(check: bool, foreign: bool) -> Iterator[bool]:
    own, of_others = serving_tables.own_statements(), serving_tables.foreign_statements()
    for environment in ("production", "staging"):
        connection = connect_serving(serving_dsn(environment))
        try:
            work = serving_tables.apply if foreign and not check else serving_tables.differences
            yield _report(f"serving {environment}{OF_OTHERS}", len(of_others), work(connection, of_others))
            work = serving_tables.differences if check else serving_tables.apply
            yield _report(f"serving {environment}", len(own), work(connection, own))
        finally:
            connection.close()


def _report(name: str, statements: int, lines: list[str]) -> bool:
    print(f"{name}: {statements} statements, " + (f"{len(lines)} differences" if lines else "nothing to do"))
    for line in lines:
        print(f"  {line}")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
