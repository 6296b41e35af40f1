"""`python -m stir.serving`: look at, check and restore the published generations of a serving table.

Servers are found by the Airflow connections prod_pg / stage_pg and clickhouse_gcc (AIRFLOW_CONN_* or the metadata
database). Exit codes: 0 done and well, 1 refused or a server failed, 2 wrong usage, 3 `verify` found differences, 4
`status` found a stale or a lost table.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from stir.serving import generations, ledger, rollback
from stir.serving.catalog import relation_oid
from stir.serving.database import connect
from stir.serving.ddl import table_ddl
from stir.serving.declaration import MOST_GENERATIONS, Target
from stir.serving.ledger import LedgerEntry
from stir.serving.manifest import PublishRefused
from stir.serving.naming import ENVIRONMENTS, Environment, RunNames
from stir.serving.publication import Publication
from stir.serving.status import moment, show_status
from stir.serving.targets import TARGETS
from stir.serving.verify import compare


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    environment = ENVIRONMENTS[getattr(options, "environment", None) or "prod"]
    target = TARGETS[getattr(options, "table", next(iter(TARGETS)))]  # `status` is about all of them
    commands: dict[str, Callable[[], int]] = {
        "status": lambda: show_status(chosen_environments(options)),
        "history": lambda: show_history(target, environment, options.limit),
        "rollback": lambda: roll_back(target, environment, options),
        "verify": lambda: verify(target, environment, options.sample, options.seed),
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


def program() -> int:
    """The command line without Airflow's log lines, unless its log level is set, and without libraries' warnings."""
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")  # read when Airflow is imported
    import airflow.sdk  # noqa: F401  puts filters of its own for warnings in front of those that stand

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    return main()


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
    status = commands.add_parser("status", help="how old each table's live generation is, and what was refused")
    status.add_argument("--environment", choices=sorted(ENVIRONMENTS), default=None, help="default: all of them")
    history = commands.add_parser("history", parents=[table, place], help="generations that went live, newest first")
    history.add_argument("--limit", type=int, default=20, help="how many (default 20)")
    back = commands.add_parser("rollback", parents=[table, place], help="put a previous generation back")
    back.add_argument(
        "--generation",
        type=int,
        choices=range(1, MOST_GENERATIONS + 1),
        default=1,
        help="which one, 1 being the last that was replaced (default 1); `history` numbers them",
    )
    back.add_argument(
        "--accept-fewer-rows",
        action="store_true",
        help="do so even if it has less than the required share of the live table's rows",
    )
    back.add_argument("--wait", type=float, default=60, help="seconds to try for the lock (default 60)")
    check = commands.add_parser("verify", parents=[table, place], help="compare the live table with the mart")
    check.add_argument("--sample", type=int, default=200, help="rows to compare value by value (default 200)")
    check.add_argument(
        "--seed", type=int, default=int(time.time()), help="which rows: the same number, the same rows (from the clock)"
    )
    commands.add_parser("ddl", parents=[table], help="print the table's DDL as schema/serving/<table>.sql holds it")
    return root


def show_history(target: Target, environment: Environment, limit: int) -> int:
    """Table of generations; marks the one that is live and those that a rollback can restore."""
    from rich.console import Console
    from rich.table import Table

    with closing(connect(environment, "history")) as connection, connection, connection.cursor() as cursor:
        entries = ledger.history(cursor, target.name, limit)
        places = {relation_oid(cursor, target.name): "live"} | {
            relation_oid(cursor, target.previous_generation(number)): f"previous {number}"
            for number in generations.kept(cursor, target)
        }
    if not entries:
        print(f"{target.name} ({environment.name}): nothing was published yet")
        return 0
    shown = Table(title=f"{target.name} ({environment.name}), times in UTC")
    for heading in ("published", "what", "rows", "mart built", "newest event", "on the way", "seconds", "run", "now"):
        shown.add_column(heading, overflow="fold", justify="right" if heading in ("rows", "seconds") else "left")
    marked: set[int] = set()
    for entry in entries:
        place = "" if entry.table_oid in marked else places.get(entry.table_oid, "")
        marked.add(entry.table_oid)
        shown.add_row(
            moment(entry.published_at),
            entry.action,
            f"{entry.rows:,}",
            moment(entry.mart_built_at),
            moment(entry.newest_event_at),
            on_the_way(entry),
            f"{sum(entry.seconds.values()):.1f}" if entry.seconds else "",
            f"{entry.dag_id} {entry.run_id}",
            place,
        )
    Console(width=None if sys.stdout.isatty() else 180).print(shown)
    return 0


def on_the_way(entry: LedgerEntry) -> str:
    """Rows and sizes at each hop, a line each; empty for entries of earlier versions."""
    from rich.filesize import decimal

    lines = []
    for hop in ("object", "staged", "table"):
        if measured := (entry.hops or {}).get(hop):
            size = f", {decimal(measured['bytes'])}" if "bytes" in measured else ""
            text = f" ({decimal(measured['text_bytes'])} of text)" if "text_bytes" in measured else ""
            lines.append(f"{hop}: {measured['rows']:,} rows{size}{text}")
    return "\n".join(lines)


def roll_back(target: Target, environment: Environment, options: argparse.Namespace) -> int:
    """Put a previous generation back."""
    names = RunNames(
        target, environment, "command line", f"{getpass.getuser()} {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    )
    with closing(connect(environment, "rollback")) as connection:
        outcome = rollback.roll_back(
            connection,
            names,
            patience=options.wait,
            accept_fewer_rows=options.accept_fewer_rows,
            generation=options.generation,
        )
    print(
        f"{target.name} ({environment.name}): previous generation {options.generation} is live again "
        f"({outcome.attempts} attempt(s), {outcome.locked_ms:.1f} ms under lock). "
        "The next scheduled sync publishes the mart again: pause its DAG if the mart is wrong."
    )
    return 0


def verify(target: Target, environment: Environment, sample: int, seed: int) -> int:
    """Print how the live table compares with the mart as it is now."""
    publication = Publication(target, environment)
    target = publication.target
    with closing(connect(environment, "verify")) as connection:
        found = compare(target, publication.clickhouse_query, connection, sample, seed)
    for difference in found.differences[:50]:
        print(difference)
    if found.differences:
        print(
            f"{target.name} ({environment.name}): {len(found.differences)} differences (seed {seed}). If the mart was "
            "rebuilt since `history` says it was published, that is expected until the next sync."
        )
        return 3
    agree = f"of {target.mart}'s" if target.keep else f"agree with {target.mart} in every sum"
    compared = f"{found.sampled} rows value by value (seed {seed})"
    print(f"{target.name} ({environment.name}): {found.rows:,} rows {agree}, {compared}")
    return 0


def chosen_environments(options: argparse.Namespace) -> list[Environment]:
    return [ENVIRONMENTS[options.environment]] if options.environment else list(ENVIRONMENTS.values())


def show_ddl(target: Target) -> int:
    print(table_ddl(target), end="")
    return 0


if __name__ == "__main__":
    sys.exit(program())
