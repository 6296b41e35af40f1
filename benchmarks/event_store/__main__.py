"""The event store against PostgreSQL: the same profile_log events in ClickHouse and in the log table that it replaces.

    python benchmarks/event_store [--events 5000000] [--explore]

- clickhouse: the table of `event_sinker.schema`, written by the sinker's writer in blocks of 10,000 rows in the order
  of event time, and left as the background merges leave it (no OPTIMIZE);
- postgres a: the replaced log table (jsonb, bigserial key), with an index on (platform, profile_id, event_timestamp);
- postgres b: the same with an index on (profile_id) instead.

Questions go through the normal clients (clickhouse-connect over HTTP, psycopg2 over TCP), and a run in which two stores
answer differently fails. `warm`: right after the same question. `cold`: after a restart of the server and with the page
cache of the whole machine emptied, where this is allowed (as root). Both write paths are durable: what is answered is
on the disk. `--explore` also tries skipping indexes and codecs for the ClickHouse table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.event_store.comparison import DROP_CACHES, Comparison
from benchmarks.event_store.events import write_events
from benchmarks.event_store.exploration import explore_codecs, explore_indexes, explore_insert_cost
from benchmarks.event_store.report import print_costs, print_figures, say
from benchmarks.event_store.stores import POSTGRES_SETTINGS, SHOWN_SETTINGS, as_superuser, restart
from devstack.ports import free_port_base
from devstack.services import ClickHouseService, PostgresService
from devstack.settings import StackSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000, help="rounded to whole days (default 5000000)")
    parser.add_argument("--profiles", type=int, help="each has about one event a day (default: 1/100 of the events)")
    parser.add_argument("--row-by-row", type=int, default=20_000, help="events inserted one by one (default 20000)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of everything drawn; times count back from now (default 1)"
    )
    parser.add_argument("--no-cold", action="store_true", help="leave the page cache of the machine alone")
    parser.add_argument("--explore", action="store_true", help="also try skipping indexes and codecs")
    options = parser.parse_args()
    profiles = options.profiles or options.events // 100
    if profiles < 100 or options.events < 2 * profiles:
        parser.error("at least 100 profiles (--profiles, or a hundredth of --events) and two events of each are needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    home = Path(tempfile.mkdtemp(prefix="stir-benchmark-"))
    home.chmod(0o711)
    stack = StackSettings(home=home / "stack", port_base=free_port_base(reserve=True), ports={}, clickhouse_url="")
    try:
        with PostgresService(stack) as postgres, ClickHouseService(stack) as clickhouse:
            run(clickhouse, postgres, home / "events.tsv", profiles, options)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run(
    clickhouse: ClickHouseService, postgres: PostgresService, events: Path, profiles: int, options: argparse.Namespace
) -> None:
    days, end = round(options.events / profiles), int(time.time())
    say(f"{days * profiles:,} events")
    size = write_events(events, days, profiles, options.seed, end)
    as_superuser(postgres, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in POSTGRES_SETTINGS.items()))
    restart(postgres)
    comparison = Comparison(clickhouse, postgres, events, options.seed, end)
    comparison.load()
    comparison.ask()
    if os.access(DROP_CACHES, os.W_OK) and not options.no_cold:
        comparison.ask_cold()
    comparison.insert_one_by_one(options.row_by_row)
    shown = ", ".join(f"{name} {comparison.postgres.run(f'SHOW {name}')[0][0]}" for name in SHOWN_SETTINGS)
    store, merged = comparison.clickhouse, comparison.clickhouse.state()
    print(f"{days * profiles:,} events of {size:.0f} bytes as JSON; {profiles:,} profiles, {days} days")
    print(f"{os.cpu_count()} cores, {datetime.now(UTC).date()}")
    print(f"PostgreSQL {comparison.postgres.run('SHOW server_version')[0][0]}: {shown}")
    limit = f"memory limit {clickhouse.settings.clickhouse_memory_bytes / 1e9:.1f} GB"
    print(f"ClickHouse {store.run('SELECT version()')[0][0]}: {limit}; {store.unmerged} as written, {merged} as merged")
    print_costs(comparison.costs)
    print_figures(comparison.figures)
    if options.explore:
        for exploration in (explore_codecs, explore_indexes, explore_insert_cost):
            exploration(comparison)


if __name__ == "__main__":
    main()
