"""`python -m devstack.world load | pulse | describe`: the synthetic world behind the local stack.

Servers are found by the platform's variables (`python -m devstack env`). Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console

from devstack.beat import broker
from devstack.settings import StackSettings
from devstack.world import describe, load, pulse
from devstack.world.size import SIZES, parse_as_of
from devstack.world.store import Ledger, WorldError
from event_sinker.errors import SinkerError
from schema.connections import SERVING_VARIABLES, clickhouse_address, connect_clickhouse, serving_dsn
from schema.statements import SchemaError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return {"load": _load, "pulse": _pulse, "describe": _describe}[options.command](options)
    except ClickHouseError as error:
        print(f"world: ClickHouse: {str(error).strip().splitlines()[0][:400]}", file=sys.stderr)
        return 1
    except (WorldError, SchemaError, SinkerError, broker.PublishError) as error:
        print(f"world: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    settings = StackSettings()
    parser = argparse.ArgumentParser(prog="python -m devstack.world", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    loading = commands.add_parser("load", help="fill the databases and publish the log events; idempotent")
    loading.add_argument("--size", choices=list(SIZES), default=settings.world_size, help="default: %(default)s")
    loading.add_argument("--seed", type=int, default=settings.world_seed, help="default: %(default)s")
    loading.add_argument(
        "--as-of", type=_as_of, help="end of the history, UTC; default: now (2026-06-15 is its midnight)"
    )
    loading.add_argument("--force", action="store_true", help="empty the tables and load again")
    loading.add_argument("--no-events", action="store_true", help="tables only, nothing is published")
    pulsing = commands.add_parser("pulse", help="publish a fresh wave of events as of now")
    pulsing.add_argument(
        "--accounts", type=_positive, default=500, help="Instagram profiles scraped again (%(default)s)"
    )
    commands.add_parser("describe", help="print what is loaded")
    return parser


def _as_of(text: str) -> datetime:
    try:
        moment = parse_as_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if moment > datetime.now(UTC):
        raise argparse.ArgumentTypeError(f"{text} is in the future: no event may be younger than now")
    return moment


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, not {text!r}")
    return int(text)


def _load(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    targets = load.Targets(
        connect_clickhouse(clickhouse_address()),
        tuple(serving_dsn(environment) for environment in SERVING_VARIABLES),
        None if options.no_events else broker.parameters(),
    )
    ledger = load.load(
        options.size,
        options.seed,
        options.as_of,
        datetime.now(UTC).replace(microsecond=0),
        targets,
        force=options.force,
        say=_say,
    )
    if ledger is None:
        _say(f"world {options.size}, seed {options.seed} is loaded already")
        return 0
    _report(ledger, options, time.monotonic() - begun)
    return 0


def _report(ledger: Ledger, options: argparse.Namespace, seconds: float) -> None:
    for step, spent in ledger.seconds.items():
        _say(f"{step}: {spent:.1f} s")
    events = ledger.rows.get("events", 0)
    rows = sum(ledger.rows.values()) - events
    rate = f" ({events / ledger.seconds['publishing']:,.0f}/s)" if events else ""
    _say(f"world {options.size}, seed {options.seed}: {rows:,} rows, {events:,} events{rate} in {seconds:.1f} s")


def _pulse(options: argparse.Namespace) -> int:
    wave = pulse.pulse(connect_clickhouse(clickhouse_address()), broker.parameters(), options.accounts, _say)
    _say(
        f"{wave.events:,} events of {wave.profiles:,} profiles, {wave.channels:,} channels and {wave.posts:,} posts, "
        f"newest {wave.newest:%Y-%m-%d %H:%M:%S} UTC"
    )
    return 0


def _describe(_: argparse.Namespace) -> int:
    describe.describe(connect_clickhouse(clickhouse_address()), Console())
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
