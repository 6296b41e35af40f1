"""One run of every DAG through the scheduler, and what each of them did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from due_candidates import a_request_that_hangs, after_the_tiers, before_the_tiers
from due_requests import Asked, asked_by
from due_requests import of as due_requests
from planted_leftovers import Planted, plant
from running_platform import RunningPlatform
from swept_dags import FLOWS, OTHERS, QUEUES, SYNCS, TIERS

from devstack.airflow_api import FINISHED

ENDED_WITHIN = 1500.0
SLOT_SECONDS = 600
"""The most frequent scrape requests are due every ten minutes."""


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
    """Outcomes by DAG, and what the platform looked like before them.

    `begun` is ClickHouse's time before the first tier, `asked` what each scrape-request DAG was going to ask for.
    """

    begun: datetime
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    newest_request: int = 0
    alerts: int = 0
    crm_events: int = 0
    depths: dict[str, int] = field(default_factory=dict)
    hanging_request: int = 0
    asked: list[Asked] = field(default_factory=list)
    planted: Planted | None = None


def sweep_all(platform: RunningPlatform, dags: Any) -> Sweep:
    """Run every DAG once: first the dbt tiers, then everything else at once, as at a busy midnight.

    `dags` are the declared DAGs by id.
    """
    found = Sweep(begun=platform.clickhouse("select now64(3, 'UTC')")[0][0])
    before_the_tiers(platform)
    tiers = run_all(platform, [(dag_id, {}) for dag_id in TIERS])
    after_the_tiers(platform)
    found.hanging_request = a_request_that_hangs(platform)
    found.newest_request = platform.newest_beat_request()
    found.alerts = len(platform.alerts())
    found.crm_events = len(platform.crm_events())
    found.depths = {queue: platform.depth(queue) if platform.has_queue(queue) else 0 for queue in QUEUES.values()}
    found.planted = plant(platform)
    wait_between_slots()
    found.asked = [due_requests(platform, source) for dag_id in FLOWS for source in asked_by(dags[dag_id])]
    rest = {dag_id: {} for dag_id in (*SYNCS, *FLOWS, *QUEUES)} | OTHERS
    found.outcomes = tiers | run_all(platform, rest.items())
    return found


def wait_between_slots() -> None:
    """A DAG that is unpaused between a slot and the next reading of its file runs for that slot first, and the run
    that was asked for finds nothing left to do. One that is unpaused shortly before a slot may, too.
    """
    while not 90 <= time.time() % SLOT_SECONDS <= SLOT_SECONDS - 60:
        time.sleep(1)


def run_all(platform: RunningPlatform, dags: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Outcome]:
    """Start all of them at once, with their forms filled in, and wait until every run has ended.

    One question tells of all runs: the server that answers it also works for the tasks. A DAG is paused as soon as its
    run has ended, so that the next slot of its schedule does not start another one beside the others.
    """
    api = platform.api
    started = {dag_id: api.trigger(dag_id, conf) for dag_id, conf in dags}
    waiting = dict(started)
    try:
        for dag_id in started:
            api.set_paused(dag_id, False)
        deadline = time.monotonic() + ENDED_WITHIN
        while waiting:
            assert time.monotonic() < deadline, f"not ended: { {d: api.tasks(d, run) for d, run in waiting.items()} }"
            time.sleep(1)
            unfinished = api.unfinished()
            for dag_id, run in [run for run in waiting.items() if run not in unfinished]:
                if api.run_state(dag_id, run) in FINISHED:
                    api.set_paused(dag_id, True)
                    del waiting[dag_id]
    finally:
        for dag_id in waiting:
            api.set_paused(dag_id, True)
    return {dag_id: _outcome(platform, dag_id, run_id) for dag_id, run_id in started.items()}


def _outcome(platform: RunningPlatform, dag_id: str, run_id: str) -> Outcome:
    tasks = platform.api.tasks(dag_id, run_id)
    returned = {task.task_id: platform.api.xcom(dag_id, run_id, task.task_id) for task in tasks}
    return Outcome(
        run_id, platform.api.run_state(dag_id, run_id), {task.task_id: task.state for task in tasks}, returned
    )


def succeeded(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> Outcome:
    """The outcome of a DAG; fails with what its tasks say unless the run was a success."""
    outcome = sweep.outcomes[dag_id]
    assert outcome.state == "success", described(platform, dag_id, outcome)
    return outcome


def described(platform: RunningPlatform, dag_id: str, outcome: Outcome) -> str:
    """For a failure message: states of the tasks, what they returned, the log of the first that failed."""
    failed = next((task for task, state in outcome.tasks.items() if state == "failed"), None)
    log = platform.api.log(dag_id, outcome.run_id, failed)[-3000:] if failed else ""
    return f"{dag_id}: {outcome.tasks}\n{json.dumps(outcome.returned, default=str)[:2000]}\n{log}"
