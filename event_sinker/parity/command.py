"""`parity`: is what the scraper still logs in PostgreSQL also in ClickHouse? To be asked before those writes end.

Both sides are counted by day and platform, and a sample of entities is compared fact by fact. Nothing is written.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime

import orjson
from rich.console import Console
from rich.progress import Progress

from event_sinker.errors import SinkerError
from event_sinker.events import EVENT_TYPES
from event_sinker.parity.clickhouse import open_events
from event_sinker.parity.days import compare_days
from event_sinker.parity.facts import LOG_TABLES, Window, log_table
from event_sinker.parity.match import shifts_over_midnight
from event_sinker.parity.postgres import open_log
from event_sinker.parity.report import Report
from event_sinker.parity.sample import compare_sample, draw
from event_sinker.parity.settings import PostgresSettings
from event_sinker.service import EXIT_OK
from event_sinker.settings import Settings

EXIT_DIFFERENT = 4

_LONGEST_TOLERANCE = 3_600  # the surroundings of two midnights never overlap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Compares a PostgreSQL log table of the scraper with the ClickHouse event table that replaces it.\n"
        "Exit code 0: equal; 4: differences found; 3: could not be compared."
    )
    parser.epilog = "PostgreSQL is reached by these variables:\n" + "\n".join(
        f"  SINKER_PARITY_POSTGRES_{name.upper():26} {field.description}"
        + ("" if field.is_required() or name == "password" else f" (default {field.default})")
        for name, field in PostgresSettings.model_fields.items()
    )
    parser.add_argument("event_type", help=f"one of {', '.join(LOG_TABLES)}")
    parser.add_argument("--since", type=_day, required=True, metavar="YYYY-MM-DD", help="first day (UTC)")
    parser.add_argument(
        "--until", type=_day, metavar="YYYY-MM-DD", help="first day that is left out; default: today, so whole days"
    )
    parser.add_argument(
        "--sample", type=_at_least(1), default=100, metavar="N", help="compare so many entities (default 100)"
    )
    parser.add_argument("--seed", default="parity", metavar="TEXT", help="another text draws another sample")
    parser.add_argument(
        "--tolerance-seconds",
        type=_at_least(0, _LONGEST_TOLERANCE),
        default=300,
        metavar="N",
        help="an event is published at most so long after the scrape (default 300)",
    )
    parser.add_argument(
        "--table", type=_table_name, metavar="NAME", help="log table, or schema.table; default: named as the event type"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument(
        "--max-differences", type=_at_least(0), default=20, metavar="N", help="show so many of the sample (default 20)"
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Compare and print; returns the exit code.

    Raises:
        SinkerError: the event type has no log table, a setting or table is missing, a server cannot be reached, or
            there is nothing to compare.
    """
    report = _compare(settings, options)
    if options.json:
        print(orjson.dumps(report.as_dict(options.max_differences)).decode())
    else:
        report.print(Console(), options.max_differences)
    return EXIT_OK if report.equal else EXIT_DIFFERENT


def _compare(settings: Settings, options: argparse.Namespace) -> Report:
    table = log_table(options.event_type)
    event = EVENT_TYPES[options.event_type]
    postgres = PostgresSettings.load()
    log_name = options.table or options.event_type
    until = options.until or datetime.now(UTC).date()
    if options.since >= until:
        raise SinkerError(f"there is no day from {options.since} to before {until}: name an earlier day by --since")
    window = Window.of_days(options.since, until)
    tolerance = options.tolerance_seconds
    where = {
        "log": f"PostgreSQL {postgres.address} {log_name}",
        "events": f"ClickHouse {settings.clickhouse_host}:{settings.clickhouse_http_port} "
        f"{settings.clickhouse_database}.{event.table}",
    }
    with ExitStack() as stack:
        log = stack.enter_context(open_log(postgres, log_name, table))
        events = stack.enter_context(open_events(settings, event, table, postgres.statement_timeout_seconds))
        step = _steps(stack)

        step("counting days in PostgreSQL")
        logged = log.tallies(window)
        step("counting days in ClickHouse")
        published = events.tallies(window)
        if not logged and not published:
            raise SinkerError(
                f"nothing to compare: neither {where['log']} nor {where['events']} has rows from {options.since} to "
                f"before {until}: check --since, --until and --table"
            )
        step("following facts over midnight")
        # Twice the tolerance, so that every fact next to midnight is seen beside those that it could be mistaken for.
        reach = 2 * tolerance + 1
        shifts = shifts_over_midnight(log.near_midnight(window, reach), events.near_midnight(window, reach), tolerance)
        step("drawing the sample")
        entities = draw(log, events, window, options.seed, options.sample)
        compared = step("comparing the sample", len(entities))
        sample = compare_sample(log, events, window, entities, tolerance, compared)
    return Report(
        event_type=event.name,
        table=table,
        **where,
        since=options.since,
        until=until,
        tolerance=tolerance,
        seed=options.seed,
        provisional=time.time() < window.end + tolerance + 2 * event.batch_seconds,
        days=compare_days(window, logged, published, shifts),
        sample=sample,
    )


def _steps(stack: ExitStack) -> Callable[..., Callable[[int], None]]:
    """Progress on the terminal, if there is one: `step(what, total)` begins a step and returns what advances it."""
    console = Console(stderr=True)
    progress = stack.enter_context(Progress(console=console, transient=True, disable=not sys.stderr.isatty()))

    def step(description: str, total: int | None = None) -> Callable[[int], None]:
        for earlier in progress.task_ids:
            progress.remove_task(earlier)
        task = progress.add_task(description, total=total)
        return lambda number: progress.advance(task, number)

    return step


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: expected YYYY-MM-DD") from None


def _table_name(text: str) -> str:
    if not re.fullmatch(r"[\w$]+(\.[\w$]+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a table: expected name or schema.name")
    return text


def _at_least(low: int, high: int | None = None) -> Callable[[str], int]:
    expected = f"a whole number, at least {low}" if high is None else f"a whole number from {low} to {high}"

    def convert(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
        return int(text)

    return convert
