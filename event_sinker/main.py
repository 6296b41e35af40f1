"""The command line: run, check-config, init-schema, status, dlq, parity."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import logging
import sys
from collections.abc import Sequence

import orjson
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.table import Table

from event_sinker import __version__, health, logs, schema, status
from event_sinker.dlq import arguments as dlq_arguments
from event_sinker.dlq import commands as dlq_commands
from event_sinker.errors import SinkerError, explain
from event_sinker.events import EVENT_TYPES
from event_sinker.parity import command as parity
from event_sinker.service import EXIT_FATAL, EXIT_OK, Service
from event_sinker.settings import Settings
from event_sinker.writer import connect

log = logging.getLogger(__name__)

EXIT_CONFIGURATION = 2
_M_MMAP_THRESHOLD = -3  # mallopt(3)

_EXIT_CODES = """exit codes:
  0    done; for `run`: stopped by SIGTERM or SIGINT, everything stored or still in RabbitMQ
  1    a bug of the sinker (the log has the traceback)
  2    wrong usage or settings
  3    a person must act: the last log line says what to do
  4    `dlq replay`: some letters still cannot be stored, they are still in the dead-letter queue;
       `parity`: differences found
  143  `run` got a second signal and stopped at once, or `dlq` got one; un-acknowledged messages are still in RabbitMQ

All settings are environment variables with the prefix SINKER_; `check-config` lists them."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m event_sinker",
        description="Drains RabbitMQ event queues into ClickHouse: acknowledged only when stored, each event once.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="serve the queues until SIGTERM")
    run.add_argument(
        "event_types", nargs="*", metavar="EVENT_TYPE", help="what to serve; default: SINKER_EVENT_TYPES, or all"
    )
    run.add_argument("--init-schema", action="store_true", help="create missing databases and tables first")

    check = commands.add_parser("check-config", help="validate the settings and list them, passwords masked")
    check.add_argument("--connect", action="store_true", help="also log in to RabbitMQ and ClickHouse")

    init = commands.add_parser("init-schema", help="create the event tables in ClickHouse, or add what they lack")
    init.add_argument(
        "--database",
        action="append",
        help="database to prepare, repeatable; default: SINKER_CLICKHOUSE_DATABASE and _STAGE_DATABASE",
    )
    init.add_argument("--show", action="store_true", help="print the statements and change nothing")

    show = commands.add_parser("status", help="messages waiting, dead letters, stored rows, newest event")
    show.add_argument("--json", action="store_true", help="one JSON array instead of a table")

    dlq_arguments.add_arguments(commands)
    parity.add_arguments(commands.add_parser("parity", help="compare a PostgreSQL log table with its event table"))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        served = tuple(getattr(options, "event_types", ()))
        settings = Settings.load(**({"event_types": served} if served else {}))
    except SettingsError as error:
        print(f"a SINKER_* variable is not what is expected: {error} (values per type are JSON)", file=sys.stderr)
        return EXIT_CONFIGURATION
    except ValidationError as error:
        for problem in error.errors():
            name = "SINKER_" + "_".join(map(str, problem["loc"])).upper() if problem["loc"] else "settings"
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        return EXIT_CONFIGURATION
    logs.configure(settings.log_level)
    commands = {
        "run": _run,
        "check-config": _check_config,
        "init-schema": _init_schema,
        "status": _status,
        "dlq": dlq_commands.run,
        "parity": parity.run,
    }
    try:
        return commands[options.command](settings, options)
    except SinkerError as error:
        if options.command == "run":
            log.critical(str(error))  # whoever reads its log expects JSON
        else:
            print(error, file=sys.stderr)
        return EXIT_FATAL


def _run(settings: Settings, options: argparse.Namespace) -> int:
    if options.init_schema:
        _apply_schema(settings, _databases(settings))
    service = Service(settings)
    # Thousands of messages come and go in one piece and hold no cycles: looking for cycles among them every few
    # hundred allocations costs a tenth of the throughput and finds nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
    # The I/O loop yields at every read of a few messages and would wait five times as long while a worker parses.
    sys.setswitchinterval(0.001)
    _give_large_blocks_back()
    if settings.http_port:
        health.serve(service, settings.http_host, settings.http_port)
    return service.run()


def _give_large_blocks_back() -> None:
    """Let freed memory of batches leave the process. glibc raises this threshold with every large block that is freed,
    and then keeps those below it, for each thread its own: with a thread per queue 150 MB more than is in use.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 128 << 10)


def _check_config(settings: Settings, options: argparse.Namespace) -> int:
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = ",".join(value) if isinstance(value, tuple) else value
        print(f"SINKER_{name.upper()}={'' if shown is None else shown}\n    # {field.description}")
    if options.connect:
        status.read(settings)
        print("RabbitMQ and ClickHouse: login works")
    return EXIT_OK


def _init_schema(settings: Settings, options: argparse.Namespace) -> int:
    databases = options.database or _databases(settings)
    if options.show:
        for database in databases:
            print(schema.create_database(database, settings.clickhouse_cluster) + ";\n")
            for event in EVENT_TYPES.values():
                print(schema.create_table(event, database, settings.clickhouse_cluster) + ";\n")
        return EXIT_OK
    changes = _apply_schema(settings, databases)
    print(
        "\n".join(changes) if changes else f"{', '.join(databases)}: all {len(EVENT_TYPES)} event tables are in place"
    )
    return EXIT_OK


def _databases(settings: Settings) -> list[str]:
    """Databases that have event tables: the one that is written, and that of the stage environment unless it is ""."""
    names = (settings.clickhouse_database, settings.clickhouse_stage_database)
    return list(dict.fromkeys(name for name in names if name))  # a sinker of the stage environment names it twice


def _apply_schema(settings: Settings, databases: Sequence[str]) -> list[str]:
    try:
        with connect(settings) as client:
            return [
                change
                for database in databases
                for change in schema.apply(client, list(EVENT_TYPES.values()), database, settings.clickhouse_cluster)
            ]
    except SinkerError:
        raise
    except Exception as error:
        address = f"{settings.clickhouse_host}:{settings.clickhouse_http_port}"
        raise SinkerError(f"ClickHouse at {address}: {explain(error)}") from None


def _status(settings: Settings, options: argparse.Namespace) -> int:
    events = status.read(settings)
    if options.json:
        print(orjson.dumps([event.as_dict() for event in events]).decode())
        return EXIT_OK
    Console().print(_status_table(events))
    return EXIT_OK


def _status_table(events: Sequence[status.EventStatus]) -> Table:
    """Fits a terminal of 80 columns; where it does not, long names go on in the next line, and numbers stay whole."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("event type", overflow="fold")
    for column in ("waiting", "sinkers", "dead", "rows"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("newest (UTC)", no_wrap=True)
    for event in events:
        numbers = (event.waiting, event.consumers, event.dead, event.rows)
        newest = event.newest_event.strftime("%Y-%m-%d %H:%M") if event.newest_event else "-"
        table.add_row(event.event_type, *("-" if number is None else f"{number:,}" for number in numbers), newest)
    return table
