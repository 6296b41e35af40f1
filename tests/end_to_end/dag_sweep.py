"""One run of every DAG through the scheduler, and what each of them did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from running_platform import RunningPlatform

from devstack.airflow_api import FINISHED

ENDED_WITHIN = 1500.0


@dataclass(frozen=True)
class Outcome:
    """How one run ended: its id, its state, and of each task the state and what it returned."""

    run_id: str
    state: str
    tasks: dict[str, str | None]
    returned: dict[str, Any]

    def total(self, key: str) -> int:
        """Sum of one count over all tasks that report it."""
        return sum(page.get(key, 0) for page in self.returned.values() if isinstance(page, dict))


@dataclass
class Sweep:
    """Outcomes by DAG, and what the platform looked like before."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    newest_request: int = 0
    alerts: int = 0
    depths: dict[str, int] = field(default_factory=dict)
    hanging_request: int = 0


def run_all(platform: RunningPlatform, dags: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Outcome]:
    """Start all of them at once, with their forms filled in, and wait until every run has ended."""
    api = platform.api
    started = {dag_id: api.trigger(dag_id, conf) for dag_id, conf in dags}
    for dag_id in started:
        api.set_paused(dag_id, False)
    try:
        waiting = dict(started)
        deadline = time.monotonic() + ENDED_WITHIN
        while waiting:
            assert time.monotonic() < deadline, f"not ended: { {d: api.tasks(d, run) for d, run in waiting.items()} }"
            waiting = {dag_id: run for dag_id, run in waiting.items() if api.run_state(dag_id, run) not in FINISHED}
            time.sleep(2)
    finally:
        for dag_id in started:
            api.set_paused(dag_id, True)
    return {dag_id: _outcome(platform, dag_id, run_id) for dag_id, run_id in started.items()}


def _outcome(platform: RunningPlatform, dag_id: str, run_id: str) -> Outcome:
    tasks = platform.api.tasks(dag_id, run_id)
    returned = {task.task_id: platform.api.xcom(dag_id, run_id, task.task_id) for task in tasks}
    return Outcome(
        run_id, platform.api.run_state(dag_id, run_id), {task.task_id: task.state for task in tasks}, returned
    )


def described(platform: RunningPlatform, dag_id: str, outcome: Outcome) -> str:
    """For a failure message: states of the tasks, what they returned, the log of the first that failed."""
    failed = next((task for task, state in outcome.tasks.items() if state == "failed"), None)
    log = platform.api.log(dag_id, outcome.run_id, failed)[-3000:] if failed else ""
    return f"{dag_id}: {outcome.tasks}\n{json.dumps(outcome.returned, default=str)[:2000]}\n{log}"
