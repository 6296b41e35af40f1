"""The rounds: every way of publishing the leaderboard in turns, then its readers, then the core metrics."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stir.serving.export import StagingFormat
from stir.serving.naming import PRODUCTION, RunNames, part_names
from stir.serving.targets.leaderboard import LEADERBOARD

from benchmarks.event_store.report import say
from benchmarks.serving_path.marts import fill_accounts, fill_core_metrics, fill_leaderboard
from benchmarks.serving_path.readers import Reading, read_while_swapping
from benchmarks.serving_path.servers import Servers
from benchmarks.serving_path.ways import LINES_KEY, Ways
from benchmarks.serving_path.worker import STEPS, Run, Work, forked
from devstack.settings import EXPORT_BUCKET

Rounds = dict[str, list[Work]]


class Measurement:
    """What was measured, by step or way, one entry per round."""

    def __init__(self, servers: Servers, rows: int, profiles: int) -> None:
        import serving  # the DAGs; Airflow reads its configuration when it is imported
        import transform

        self.servers, self.rows, self.profiles = servers, rows, profiles
        self.leaderboard_dag, self.core_dag = serving.sync_leaderboard_prod, transform.dbt_core
        self.idle_mb = forked(lambda: None).peak_mb
        self.small: Rounds = {}
        self.steps: Rounds = {}
        self.ways: Rounds = {}
        self.core: Rounds = {}
        self.manifest: dict[str, Any] = {}
        self.core_manifest: dict[str, Any] = {}
        self.megabytes: dict[str, float] = {}
        self.reading: Reading | None = None

    def few(self, rows: int) -> None:
        """A small leaderboard, to see which memory depends on the size."""
        say(f"{rows:,} rows of leaderboard")
        fill_leaderboard(self.servers.client(), rows)
        self._publish(self.leaderboard_dag, "few", self.small)

    def leaderboard(self, rounds: int) -> None:
        say(f"a leaderboard of {self.rows:,} rows and its accounts")
        connection = self.servers.postgres.connection()
        fill_accounts(connection, self.rows)
        connection.close()
        fill_leaderboard(self.servers.client(), self.rows)
        lines = self._json_lines()
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}: the path")
            run = self._publish(
                self.leaderboard_dag, f"round {number}", self.steps, keep=self.servers.folder / "kept.tsv"
            )
            self.manifest = run.results["manifest"]
            self._other_ways(lines, self.servers.folder / "kept.tsv", number)

    def _other_ways(self, lines: Path, kept: Path, number: int) -> None:
        servers = self.servers
        ways = Ways(servers, RunNames(LEADERBOARD, PRODUCTION, "benchmark", "ways"), servers.folder)
        measured: dict[str, Callable[[], None]] = {
            "replaced export": ways.replaced_export,
            "replaced fetch": ways.replaced_fetch,
            "replaced load": ways.replaced_load,
            "load in one session": lambda: ways.load(kept, StagingFormat.TAB_SEPARATED),
            "JSON lines load": lambda: ways.load(lines, StagingFormat.JSON_LINES),
            "bare COPY": lambda: ways.bare_copy(kept),
            "function": ways.postgresql_function,
            "worker": ways.through_worker,
        }
        for name, work in measured.items():
            say(f"round {number + 1}: {name}")
            servers.checkpoint()
            done = forked(work)
            say(f"    {done.seconds:.1f} s")
            self.ways.setdefault(name, []).append(done)
            if name == "replaced load":
                self.megabytes[name] = ways.lines.stat().st_size / 1e6
                ways.lines.unlink()
                servers.s3.client().delete_object(Bucket=EXPORT_BUCKET, Key=LINES_KEY)
            ways.drop()
        self.megabytes |= {"JSON lines load": lines.stat().st_size / 1e6, "load": kept.stat().st_size / 1e6}
        self.megabytes["bare COPY"] = self.megabytes["load in one session"] = self.megabytes["load"]
        kept.unlink()

    def readers(self, swaps: int, readers: int) -> None:
        logging.getLogger("stir").setLevel(logging.WARNING)  # the swaps of this process
        say(f"{swaps} swaps under {readers} readers")
        self.servers.checkpoint()
        self.reading = read_while_swapping(self.servers, self.rows, swaps, readers, quiet_seconds=30)

    def core_metrics(self, rounds: int) -> None:
        say(f"core metrics of {self.profiles:,} profiles")
        fill_core_metrics(self.servers.client(), self.profiles)
        for number in range(rounds):
            run = self._publish(self.core_dag, f"round {number}", self.core)
            self.core_manifest = run.results["manifest"]

    def _publish(self, dag: Any, run_id: str, rounds: Rounds, keep: Path | None = None) -> Run:
        """Run every step of the DAG once, with the fetched lines in `keep` too."""
        run = Run(dag, run_id)
        self.servers.checkpoint()
        for step in STEPS:
            done = run.step(step)
            say(f"    {step} {done.seconds:.1f} s, {done.peak_mb:.0f} MB")
            rounds.setdefault(step, []).append(done)
            if step == "fetch" and keep:
                self._keep(run, keep)
        run.clean_up()
        return run

    def _json_lines(self) -> Path:
        """The file that the other staging format gives."""
        os.environ["AIRFLOW_VAR_SERVING_STAGING_FORMAT"] = StagingFormat.JSON_LINES.value
        run, kept = Run(self.leaderboard_dag, "lines"), self.servers.folder / "kept.jsonl"
        for step in ("export", "manifest", "fetch"):
            run.step(step)
        self._keep(run, kept)
        run.clean_up()
        os.environ["AIRFLOW_VAR_SERVING_STAGING_FORMAT"] = StagingFormat.TAB_SEPARATED.value
        return kept

    def _keep(self, run: Run, file: Path) -> None:
        """Put the fetched lines into one file, whatever number of parts they came in."""
        manifest = run.results["manifest"]
        name = run.publication.names(run).file_name(manifest["key"])
        with file.open("wb") as whole:
            for part in part_names(name, manifest["parts"]):
                with (self.servers.folder / part).open("rb") as lines:
                    shutil.copyfileobj(lines, whole)
        file.chmod(0o644)
