"""`python -m stir.serving`: look at, check and restore the published generations of a serving table.

Servers are found by the Airflow connections prod_pg / stage_pg and clickhouse_gcc (AIRFLOW_CONN_* or the metadata
database). Exit codes: 0 done and well, 1 refused or a server failed, 2 wrong usage, 3 `verify` found differences.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

from stir.serving import ledger, rollback
from stir.serving.catalog import relation_oid
from stir.serving.database import connect
from stir.serving.ddl import table_ddl
from stir.serving.declaration import Target
from stir.serving.manifest import PublishRefused
from stir.serving.naming import ENVIRONMENTS, Environment, RunNames
from stir.serving.publication import Publication
from stir.serving.targets import TARGETS
from stir.serving.verify import compare


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    environment = ENVIRONMENTS[getattr(options, "environment", "prod")]
    target = TARGETS[getattr(options, "table", next(iter(TARGETS)))]  # `status` is about all of them
    commands: dict[str, Callable[[], int]] = {
        "status": lambda: show_status(environment),
        "history": lambda: show_history(target, environment, options.limit),
        "rollback": lambda: roll_back(target, environment, options.accept_fewer_rows, options.wait),
        "verify": lambda: verify(target, environment, options.sample),
        "ddl": lambda: show_ddl(target),
    }
    import clickhouse_driver.errors
    import psycopg2
    from airflow.sdk.exceptions import AirflowException

    try:
        return commands[options.command]()
    except (PublishRefused, TimeoutError) as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
    except (psycopg2.Error, clickhouse_driver.errors.Error, AirflowException, EOFError) as error:
        print(f"{environment.name}: {str(error).strip() or type(error).__name__}", file=sys.stderr)
    return 1


def parser() -> argparse.ArgumentParser:
    """Commands and options."""
    root = argparse.ArgumentParser(
        prog="python -m stir.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(dest="command", required=True)
    table = argparse.ArgumentParser(add_help=False)
    table.add_argument("table", choices=sorted(TARGETS), help="serving table")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--environment", choices=sorted(ENVIRONMENTS), default="prod", help="default: prod")
    commands.add_parser("status", parents=[place], help="how old each table's live generation is")
    history = commands.add_parser("history", parents=[table, place], help="generations that went live, newest first")
    history.add_argument("--limit", type=int, default=20, help="how many (default 20)")
    back = commands.add_parser("rollback", parents=[table, place], help="put the previous generation back")
    back.add_argument(
        "--accept-fewer-rows",
        action="store_true",
        help="do so even if it has less than the required share of the live table's rows",
    )
    back.add_argument("--wait", type=float, default=60, help="seconds to try for the lock (default 60)")
    check = commands.add_parser("verify", parents=[table, place], help="compare the live table with the mart")
    check.add_argument("--sample", type=int, default=200, help="rows to compare value by value (default 200)")
    commands.add_parser("ddl", parents=[table], help="print the table's DDL as schema/serving/<table>.sql holds it")
    return root


def show_history(target: Target, environment: Environment, limit: int) -> int:
    """Table of generations; marks the one that is live and the one that a rollback would restore."""
    from rich.console import Console
    from rich.table import Table

    with closing(connect(environment, "history")) as connection, connection, connection.cursor() as cursor:
        entries = ledger.history(cursor, target.name, limit)
        live, backup = relation_oid(cursor, target.name), relation_oid(cursor, target.backup)
    if not entries:
        print(f"{target.name} ({environment.name}): nothing was published yet")
        return 0
    shown = Table(title=f"{target.name} ({environment.name}), times in UTC")
    for heading in ("published", "what", "rows", "mart built", "newest event", "seconds", "run", "now"):
        shown.add_column(heading, overflow="fold", justify="right" if heading in ("rows", "seconds") else "left")
    marked: set[int] = set()
    for entry in entries:
        place = {live: "live", backup: "previous"}.get(entry.table_oid, "")
        place = "" if entry.table_oid in marked else place
        marked.add(entry.table_oid)
        shown.add_row(
            moment(entry.published_at),
            entry.action,
            f"{entry.rows:,}",
            moment(entry.mart_built_at),
            moment(entry.newest_event_at),
            f"{sum(entry.seconds.values()):.1f}" if entry.seconds else "",
            f"{entry.dag_id} {entry.run_id}",
            place,
        )
    Console(width=None if sys.stdout.isatty() else 180).print(shown)
    return 0


def show_status(environment: Environment) -> int:
    """Table of all targets: the live generation, its mart's build and the newest event inside, with their age."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=f"{environment.name}, times in UTC")
    for heading in ("table", "rows", "published", "mart built", "newest event", "data is old", "by"):
        shown.add_column(heading, overflow="fold", justify="right" if heading in ("rows", "data is old") else "left")
    with closing(connect(environment, "status")) as connection, connection, connection.cursor() as cursor:
        for name in TARGETS:
            entry = ledger.of_table(cursor, name, relation_oid(cursor, name))
            if entry is None:
                shown.add_row(name, "", "never")
                continue
            newest = entry.newest_event_at
            shown.add_row(
                name,
                f"{entry.rows:,}",
                moment(entry.published_at),
                moment(entry.mart_built_at),
                moment(newest),
                str(timedelta(seconds=round((datetime.now(UTC) - newest).total_seconds()))) if newest else "",
                entry.dag_id,
            )
    Console(width=None if sys.stdout.isatty() else 180).print(shown)
    return 0


def roll_back(target: Target, environment: Environment, accept_fewer_rows: bool, wait: float) -> int:
    """Exchange live and previous generation."""
    names = RunNames(
        target, environment, "command line", f"{getpass.getuser()} {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    )
    with closing(connect(environment, "rollback")) as connection:
        outcome = rollback.roll_back(connection, names, patience=wait, accept_fewer_rows=accept_fewer_rows)
    print(
        f"{target.name} ({environment.name}): the previous generation is live again "
        f"({outcome.attempts} attempt(s), {outcome.locked_ms:.1f} ms under lock). "
        "The next scheduled sync publishes the mart again: pause its DAG if the mart is wrong."
    )
    return 0


def verify(target: Target, environment: Environment, sample: int) -> int:
    """Print how the live table compares with the mart as it is now."""
    publication = Publication(target, environment)
    target = publication.target
    with closing(connect(environment, "verify")) as connection:
        found = compare(target, publication.clickhouse_query, connection, sample)
    for difference in found.differences[:50]:
        print(difference)
    if found.differences:
        print(
            f"{target.name} ({environment.name}): {len(found.differences)} differences. If the mart was rebuilt since "
            "`history` says it was published, that is expected until the next sync."
        )
        return 3
    agree = f"of {target.mart}'s" if target.keep else f"agree with {target.mart} in every sum"
    print(f"{target.name} ({environment.name}): {found.rows:,} rows {agree}, {found.sampled} rows value by value")
    return 0


def show_ddl(target: Target) -> int:
    print(table_ddl(target), end="")
    return 0


def moment(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""


if __name__ == "__main__":
    sys.exit(main())
