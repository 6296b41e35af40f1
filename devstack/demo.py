"""The platform's main job on the synthetic world, through its real parts: `make demo`.

World -> RabbitMQ -> sinker -> ClickHouse -> dbt tiers -> object store -> ssh -> PostgreSQL, with a running Airflow that
does every step from dbt on. The first run loads the world; later runs publish a fresh wave of events and a new table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.console import Console

from devstack.airflow_api import AirflowApi, TaskState
from devstack.demo_report import print_report
from devstack.demo_steps import Step, Steps
from devstack.environment import environment
from devstack.errors import StackError
from devstack.event_flow import EventFlow
from devstack.progress import ConsoleProgress, SilentProgress
from devstack.schema_step import apply_schema
from devstack.services.base import base_environment
from devstack.settings import AIRFLOW_USER, REPOSITORY, Secrets, StackSettings
from devstack.stack import Stack

DRAIN_WITHIN = 300.0
RUN_WITHIN = 1200.0


def _dbt(page: Any) -> str:
    built = page["counts"].get("success", 0)
    return f"{built} model{'' if built == 1 else 's'} built"


@dataclass(frozen=True)
class Stage:
    """One DAG of the demonstration: the task whose XCom tells what was done, and how to say it."""

    dag_id: str
    task_id: str
    say: Callable[[Any], str]


STAGES: tuple[tuple[Stage, ...], ...] = (
    (Stage("dbt_core", "dbt_run", _dbt),),
    (
        Stage("dbt_recent_scl", "dbt_run", _dbt),
        Stage("dbt_collections", "dbt_run", _dbt),
        Stage("post_ranker", "dbt_run", _dbt),
    ),
    (Stage("refresh_account_tracker_stats", "dbt_run", _dbt),),  # reads what dbt_collections builds
    (Stage("dbt_hourly", "dbt_run", _dbt),),
    (Stage("dbt_daily", "dbt_run", _dbt),),
    (
        Stage("sync_leaderboard_prod", "manifest", lambda page: f"{page['rows']:,} rows published"),
        Stage("sync_leaderboard_staging", "manifest", lambda page: f"{page['rows']:,} rows published"),
        Stage("sync_insta_collection_posts", "send_requests", lambda page: f"{page['sent']} requests accepted"),
        Stage("sync_missing_journey", "publish_messages", lambda page: f"{page['published']} messages confirmed"),
    ),
)
"""What runs one after the other, and within each group side by side."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration and return its exit code; StackError says in one sentence what did not work."""
    parser = argparse.ArgumentParser(prog="python -m devstack demo", description=__doc__.split("\n\n")[0])
    settings = StackSettings()
    parser.add_argument("--size", default=settings.world_size, choices=("small", "medium", "large"))
    parser.add_argument("--seed", type=int, default=settings.world_seed)
    options = parser.parse_args(arguments)
    settings = settings.model_copy(update={"world_size": options.size, "world_seed": options.seed})

    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print("\n[bold]1. The stack[/]  private servers on 127.0.0.1")
    with ConsoleProgress(console) as progress:
        stack = Stack(settings, progress)
        stack.up()
        apply_schema(settings, stack.secrets, stack.wanted(), progress)
    demonstration = Demonstration(settings, console)
    demonstration.events()
    demonstration.airflow()
    print_report(settings, demonstration.steps, console)
    return 0


def what_it_does(tasks: Sequence[TaskState]) -> str:
    """A run in a few words: the task at work, one that failed and waits for its next try, or that it waits."""
    for task in reversed(tasks):
        if task.state == "running":
            return task.task_id + (f", try {task.tries} of {task.tries_at_most}" if task.tries > 1 else "")
    for task in tasks:
        if task.state == "up_for_retry":
            return f"{task.task_id} failed, try {task.tries + 1} of {task.tries_at_most} {_within(task.retry_by)}"
        if task.state == "failed":
            return f"{task.task_id} failed"
    return "between tasks" if any(task.state == "success" for task in tasks) else "queued"


def _within(moment: datetime | None) -> str:
    left = (moment - datetime.now(UTC)).total_seconds() if moment else 0
    return f"in at most {left:.0f} s" if left >= 1 else "soon"


class Demonstration:
    """The steps between a running stack and the report."""

    def __init__(self, settings: StackSettings, console: Console) -> None:
        self.settings = settings
        self.console = console
        self.secrets = Secrets.load_or_create(settings)
        self.steps = Steps(console)
        self.alerts = Stack(settings, SilentProgress()).services["slack"].address
        self.variables = base_environment(settings) | environment(settings, self.secrets)

    def events(self) -> None:
        """Load the world or publish a fresh wave, and wait until ClickHouse has every event."""
        self.console.print("\n[bold]2. Events[/]  synthetic world -> RabbitMQ -> sinker -> ClickHouse")
        flow = EventFlow(self.settings, self.secrets)
        before, dropped_before = flow.stored(), flow.dropped()
        world = ["--size", self.settings.world_size, "--seed", str(self.settings.world_seed)]
        with self.steps.step("synthetic world and its events") as step:
            loaded = self._program("devstack.world", "load", *world, watch=step)
            step.outcome = loaded[-1] if loaded else ""
        if before:
            with self.steps.step("a fresh wave of events") as step:
                step.outcome = self._program("devstack.world", "pulse", watch=step)[-1]
        with self.steps.step("the sinker empties the queues") as step:
            flow.wait_until_drained(DRAIN_WITHIN, lambda waiting: setattr(step, "doing", f"{waiting:,} messages wait"))
            stored, dropped = flow.stored(), max(0, flow.dropped() - dropped_before)
            step.outcome = (
                f"{stored:,} events in ClickHouse, {dropped:,} that came twice dropped, "
                f"{flow.dead_letters():,} dead letters"
            )

    def airflow(self) -> None:
        """Run every stage through Airflow's scheduler."""
        self.console.print("\n[bold]3. Airflow[/]  dbt tiers, publishing, requests, messages")
        url = Stack(self.settings, SilentProgress()).services["airflow-api"].address
        with AirflowApi(url, AIRFLOW_USER, self.secrets.airflow_password) as api:
            with self.steps.step("DAGs read by the dag-processor") as step:
                api.wait_for_dags({stage.dag_id for group in STAGES for stage in group})
                step.outcome = f"{len(api.dag_ids())} DAGs"
            for group in STAGES:
                self.steps.side_by_side({stage.dag_id: partial(self._stage, api, stage) for stage in group})

    def _stage(self, api: AirflowApi, stage: Stage, step: Step) -> None:
        def show(tasks: list[TaskState]) -> None:
            step.doing = what_it_does(tasks)

        run_id, state = api.run(stage.dag_id, timeout=RUN_WITHIN, progress=show)
        if state != "success":
            failed = [task.task_id for task in api.tasks(stage.dag_id, run_id) if task.state == "failed"]
            raise StackError(
                f"{stage.dag_id} failed in {', '.join(failed) or 'no task'}: its log is at "
                f"{api.url}/dags/{stage.dag_id}/runs/{run_id}, the alert with the reason at {self.alerts}"
            )
        page = api.xcom(stage.dag_id, run_id, stage.task_id)
        step.outcome = stage.say(page) if page is not None else ""

    def _program(self, module: str, *arguments: str, watch: Any) -> list[str]:
        """Run one of the platform's programs, show its last line while it works, return its lines."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=self.variables,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.rstrip())
            watch.doing = lines[-1]
        if process.wait() != 0:
            shown = "\n".join(lines[-15:])
            raise StackError(f"python -m {module} {' '.join(arguments)} failed:\n{shown}")
        return lines
