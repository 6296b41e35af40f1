"""Publishing to PostgreSQL, step by step as the DAG does it, and other ways of carrying the same rows.

    python benchmarks/serving_path [--rows 1000000] [--profiles 500000] [--rounds 3]

The leaderboard, `--rows` rows with their two maps of 32 ranks, and accounts to enrich them from:
- path: the tasks of sync_leaderboard_prod, each in a process of its own, with real servers;
- replaced: JSON lines through the object store, text COPY into jsonb, typed INSERT into an UNLOGGED table, SET LOGGED;
- function: ClickHouse's `INSERT INTO FUNCTION postgresql(...)`;
- worker: lines from ClickHouse handed on to COPY FROM STDIN by the process that asks for them.
All but `path` end with the loaded rows. What comes after (enrichment, indexes, swap, vacuum) is the same for every way
and is measured in the path; so `whole` of the others is their own time plus that, without the path's manifest, guards
and clean-up, which they do not have.

Load step alone: the path's, with as many sessions as the Variable `serving_load_sessions` says; the same lines in one
session; replaced; JSON lines (the other staging format) in one session; and bare COPY of the path's lines (the limit of
one session). Then readers of the live table without and with swaps, and the core metrics of `--profiles` profiles as
dbt_core publishes them. Not in these figures: what Airflow's scheduler takes between two tasks, and a network.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "dags")]

from benchmarks.serving_path.measurement import Measurement
from benchmarks.serving_path.report import print_report
from benchmarks.serving_path.servers import serving_servers


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/serving_path", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the leaderboard (default 1000000)")
    parser.add_argument("--profiles", type=int, default=500_000, help="rows of the core metrics (default 500000)")
    parser.add_argument("--few", type=int, default=20_000, help="leaderboard to compare memory with (default 20000)")
    parser.add_argument("--rounds", type=int, default=3, help="each runs every way once (default 3)")
    parser.add_argument("--swaps", type=int, default=60, help="swaps under readers (default 60)")
    parser.add_argument("--readers", type=int, default=2, help="processes that read meanwhile (default 2)")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds must be at least 2: the swaps under readers exchange two generations of one size")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    begin, load = time.monotonic(), os.getloadavg()
    with serving_servers() as servers:
        measured = Measurement(servers, options.rows, options.profiles)
        measured.few(options.few)
        measured.leaderboard(options.rounds)
        measured.readers(options.swaps, options.readers)
        measured.core_metrics(options.rounds)
    print(f"{options.rows:,} rows of leaderboard, {options.profiles:,} of core metrics, {options.rounds} rounds")
    print(
        f"{os.cpu_count()} cores, {datetime.now(UTC).date()}, load average at the start {load[0]:.1f}; "
        f"{(time.monotonic() - begin) / 60:.0f} minutes"
    )
    print_report(measured)


if __name__ == "__main__":
    main()
