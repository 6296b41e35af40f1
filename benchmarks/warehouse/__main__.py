"""Every model of the warehouse, tier by tier, over synthetic worlds of two or three sizes.

    python benchmarks/warehouse --sizes small medium
    python benchmarks/warehouse --sizes medium large     # an hour and a half (--rounds 0: half an hour), 15 GB of disk

For each size: a fresh ClickHouse, the world in it, then every tier `--rounds` + 1 times, each time by the operator of
its DAG in a process of its own. The first round builds everything; the others, whose medians are reported, are what a
schedule sees. Seconds, rows and memory of a model come from ClickHouse's own query log, so dbt's share of a tier's
time is the rest. The last table sets two sizes side by side: the exponent of the growth of each model's CPU time over
the growth of the rows that it reads or writes. `--rounds 0` measures the first build alone. `--storage` stores the
largest tables with another codec and with dictionaries for texts of few values, and says what that does to their bytes
and reads.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rich.console import Console

from benchmarks.warehouse.measured import Build
from benchmarks.warehouse.report import growth, models, tiers
from benchmarks.warehouse.storage import storage
from benchmarks.warehouse.tiers import TierRuns
from benchmarks.warehouse.world import loaded_world
from devstack.world.size import SIZES


def main() -> None:
    options = _parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    builds: dict[str, Build] = {}
    for size in sorted(options.sizes, key=lambda name: SIZES[name].profiles):
        with (
            tempfile.TemporaryDirectory(prefix="stir-warehouse-") as folder,
            loaded_world(size, Path(folder), console) as service,
        ):
            runs = TierRuns(service, Path(folder))
            builds[size] = runs.build(options.rounds, console, full_refresh_daily=True)
            console.print(tiers(size, builds[size]), models(size, builds[size], options.slowest))
            if options.storage:
                console.print(storage(size, service, options.storage))
        if options.json:
            options.json.write_text(json.dumps({size: build.as_dict() for size, build in builds.items()}, indent=1))
    if len(builds) > 1:
        smaller, larger = list(builds)[-2:]
        console.print(growth((smaller, builds[smaller]), (larger, builds[larger])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/warehouse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["small", "medium"], help="%(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="rounds after the first build (%(default)s)")
    parser.add_argument("--slowest", type=int, default=20, help="models that are listed (%(default)s)")
    parser.add_argument(
        "--storage", type=int, default=0, metavar="TABLES", help="largest tables to store otherwise (0)"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    return parser


if __name__ == "__main__":
    main()
