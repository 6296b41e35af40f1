"""Load of the leaderboard into PostgreSQL: the typed TSV load against the path it replaces.

    python benchmarks/serving_load.py [--rows 200000] [--repeats 5]

Compared, in turns on one private PostgreSQL, over the same rows with their two maps of 32 ranks:
- replaced: JSON lines, text COPY into jsonb, typed INSERT into an UNLOGGED table, SET LOGGED;
- json: JSON lines, exact COPY into jsonb, typed INSERT (what `serving_staging_format` JSONEachRow does);
- tsv: TabSeparated straight into the typed table (what `serving_staging_format` TabSeparated does);
- limit: bare COPY of the TSV file into the same table, without lock, comment and checks.
The export, the transfer, the enrichment and the indexes are not in these figures.
"""

# ruff: noqa: E402, S608 -- the repository is put on the path first; SQL is built from constants

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from chdb.session import Session
from stir.serving.export import EXPORT_SETTINGS, StagingFormat, export_statement, quoted
from stir.serving.load import literal, load_statements
from stir.serving.naming import PRODUCTION, RunNames
from stir.serving.targets.leaderboard import LEADERBOARD

from devstack.home import fetch_directory
from devstack.services import PostgresService
from devstack.settings import StackSettings
from schema.serving_tables import apply, serving_statements

RANKS = [
    f"{metric}_rank_by_part_{part}"
    for metric in ("followers", "views", "followers_change", "plays")
    for part in range(8)
]
NAMES = RunNames(LEADERBOARD, PRODUCTION, "benchmark", "run")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the leaderboard (default 200000)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, each running every path once (default 5)")
    parser.add_argument("--port-base", type=int, default=29000, help="ports of the private server (default 29000)")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="stir-benchmark-"))
    home.chmod(0o711)
    try:
        with PostgresService(StackSettings(home=home, port_base=options.port_base)) as postgres:
            measure(postgres, export_files(postgres, options.rows), options.rows, options.repeats)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def export_files(postgres: PostgresService, rows: int) -> dict[str, str]:
    """Write the files that the exports would write, by the same statements; returns their paths by name."""
    folder = fetch_directory(postgres.settings).resolve()
    session = Session()
    session.query("create database dbt")
    columns = ", ".join(f"`{column.name}` {column.clickhouse}" for column in LEADERBOARD.exported)
    session.query(f"create table {LEADERBOARD.mart} ({columns}) engine = MergeTree order by tuple()")
    values = mart_values()
    session.query(
        f"insert into {LEADERBOARD.mart} ({', '.join(values)}) select {', '.join(values.values())} from numbers({rows})"
    )
    settings = ", ".join(
        f"{name} = {quoted(value) if isinstance(value, str) else value}" for name, value in EXPORT_SETTINGS.items()
    )
    selects = {each.value: export_statement(LEADERBOARD, "", each).split("\n", 1)[1] for each in StagingFormat}
    selects["replaced"] = f"select * from {LEADERBOARD.mart}"
    paths = {}
    for name, select in selects.items():
        path = folder / f"rows.{name}"
        written = "JSONEachRow" if name == "replaced" else name
        session.query(f"insert into function file({quoted(str(path))}, '{written}')\n{select} settings {settings}")
        path.chmod(0o644)
        paths[name] = str(path)
    session.close()
    return paths


def mart_values() -> dict[str, str]:
    """ClickHouse expressions over `number` that make up a believable row."""
    ranks = ", ".join(f"'{name}', toUInt64(sipHash64(number, {place}) % 500000)" for place, name in enumerate(RANKS))
    counts = ("followers", "views", "likes", "comments", "plays", "engagement", "uploads", "prev_followers")
    return {
        "month": "toDate('2026-10-01') - interval (number % 12) month",
        "platform": "'INSTAGRAM'",
        "profile_platform": "'IA'",
        "platform_id": "toString(17841400000000000 + number)",
        "language": "'hi'",
        "category": "'Fashion & Style'",
        "profile_type": "'CREATOR'",
        "engagement_rate": "(sipHash64(number) % 100000) / 7919",
        "avg_likes": "(sipHash64(number, 1) % 10000000) / 97",
        **{name: f"sipHash64(number, '{name}') % 50000000" for name in counts},
        "last_month_ranks": f"map({ranks})",
        "current_month_ranks": f"map({ranks})",
    }


def replaced_path(path: str) -> str:
    """The load as it used to be."""
    columns = ", ".join(column.name for column in LEADERBOARD.exported)
    casts = ", ".join(f"(data->>'{column.name}')::{column.postgres}" for column in LEADERBOARD.exported)
    return (
        f"drop table if exists {NAMES.working_table};\n"
        "create temporary table mart_leaderboard (data jsonb) on commit drop;\n"
        f"copy mart_leaderboard from {literal(path)};\n"
        f"create unlogged table {NAMES.working_table} (like leaderboard including defaults);\n"
        f"insert into {NAMES.working_table} ({columns}) select {casts} from mart_leaderboard;\n"
        f"alter table {NAMES.working_table} set logged;"
    )


def bare_copy(path: str) -> str:
    columns = ", ".join(f"{column.name} {column.postgres}" for column in LEADERBOARD.exported)
    return (
        f"drop table if exists {NAMES.working_table};\ncreate table {NAMES.working_table} ({columns});\n"
        f"copy {NAMES.working_table} from {literal(path)} with (freeze true);"
    )


def measure(postgres: PostgresService, files: dict[str, str], rows: int, repeats: int) -> None:
    """Run every path once per round and print median, spread and ratio."""
    tsv, lines = files[StagingFormat.TAB_SEPARATED.value], files[StagingFormat.JSON_LINES.value]
    read = {"replaced": files["replaced"], "json": lines, "tsv": tsv, "limit": tsv}
    paths: dict[str, Callable[[], str]] = {
        "replaced": lambda: replaced_path(files["replaced"]),
        "json": lambda: load_statements(NAMES, lines, StagingFormat.JSON_LINES),
        "tsv": lambda: load_statements(NAMES, tsv, StagingFormat.TAB_SEPARATED),
        "limit": lambda: bare_copy(tsv),
    }
    connection = postgres.connection()
    apply(connection, serving_statements())
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(repeats):
        for name, statements in paths.items():
            with connection, connection.cursor() as cursor:
                cursor.execute(f"drop table if exists {NAMES.working_table}, {NAMES.staged_table}")
            checkpoint(postgres)
            begin = time.perf_counter()
            with connection, connection.cursor() as cursor:
                cursor.execute(statements())
            seconds[name].append(time.perf_counter() - begin)
        print(f"round {number + 1} of {repeats} done", flush=True)
    sizes = {name: Path(path).stat().st_size / 1e6 for name, path in read.items()}
    print(f"\n{rows:,} rows of leaderboard, {repeats} rounds")
    print(f"{'path':<10}{'MB':>8}{'median s':>10}{'min':>8}{'max':>8}{'rows/s':>10}{'replaced / it':>15}")
    base = statistics.median(seconds["replaced"])
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        print(
            f"{name:<10}{sizes[name]:>8.0f}{middle:>10.2f}{min(taken):>8.2f}{max(taken):>8.2f}"
            f"{rows / middle:>10,.0f}{base / middle:>14.2f}x"
        )
    connection.close()


def checkpoint(postgres: PostgresService) -> None:
    """Let no path pay for the pages that the one before left dirty."""
    admin = postgres.superuser_connection()
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("checkpoint")
    admin.close()


if __name__ == "__main__":
    sys.exit(main())
