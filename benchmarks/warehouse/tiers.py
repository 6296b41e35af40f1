"""Running the schedule tiers with dbt, one process each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import clickhouse_connect
from rich.console import Console

from benchmarks.warehouse.measured import QUERIES, Build, Query, TierRun
from devstack.services import ClickHouseService

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "gcc_social"

PERIOD_MINUTES = {
    "core": 15,
    "recent_scl": 5,
    "collections": 30,
    "staging_collections": 30,
    "post_ranker": 300,
    "post_ranker_partial": 15,
    "hourly": 120,
    "account_tracker_stats": 60,
    "gcc_orders": 1440,
    "daily": 1440,
    "weekly": 10080,
}
"""Tiers in the order in which they find their inputs, with their periods."""


class TierRuns:
    """dbt on one server, with a target folder of its own."""

    def __init__(self, service: ClickHouseService, folder: Path) -> None:
        endpoint = service.endpoint
        self._client = clickhouse_connect.get_client(
            host=endpoint.host, port=endpoint.http_port, username=endpoint.user, password=endpoint.password
        )
        self._environment = os.environ | {
            "DBT_CLICKHOUSE_HOST": endpoint.host,
            "DBT_CLICKHOUSE_PORT": str(endpoint.native_port),
            "DBT_CLICKHOUSE_USER": endpoint.user,
            "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": endpoint.password,
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW_CONN_FS_DEFAULT": "fs://",
            "PYTHONPATH": str(ROOT / "plugins"),
        }

    def build(self, rounds: int, console: Console, *, full_refresh_daily: bool) -> Build:
        """Every tier once from nothing, then `rounds` times more."""
        self._dbt("seed")
        build = Build()
        for number in range(rounds + 1):
            for tier in PERIOD_MINUTES:
                run = self.run(tier)
                most = f"most memory {run.thirstiest.memory / 1e6:,.0f} MB ({run.thirstiest.model})"
                console.print(
                    f"round {number}: {tier} {run.seconds:.1f} s, {run.dbt_share:.0%} of it dbt's own, {most}"
                )
                if number:
                    build.later.setdefault(tier, []).append(run)
                else:
                    build.first[tier] = run
        if full_refresh_daily:
            begun = time.monotonic()
            self._dbt("run", "--select", "mart_time_series", "--full-refresh")
            console.print(f"full refresh of mart_time_series: {time.monotonic() - begun:.1f} s")
        return build

    def run(self, tier: str) -> TierRun:
        since = time.time()
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("tier_process.py"), tier],
            env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"tier {tier} failed:\n{done.stderr[-6000:]}")
        seconds = float(done.stdout.splitlines()[-1])
        self._client.command("system flush logs")
        rows = self._client.query(QUERIES, parameters={"since": int(since * 1e6)}).result_rows
        return TierRun(tier, seconds, [Query(*row) for row in rows])

    def _dbt(self, *arguments: str) -> None:
        dbt = Path(sys.executable).parent / "dbt"
        done = subprocess.run(
            [dbt, "--quiet", "--no-use-colors", *arguments],
            env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"dbt {' '.join(arguments)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
