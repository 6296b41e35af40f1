"""What the demonstration says of a run while it waits for it."""

from __future__ import annotations

import pytest

from devstack.airflow_api import TaskState
from devstack.demo import what_it_does

pytestmark = pytest.mark.unit


def run_of(**states: str | None) -> list[TaskState]:
    return [TaskState(name, state, 1.0, 2 if state == "up_for_retry" else 1) for name, state in states.items()]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (run_of(), "queued"),
        (run_of(dbt_run=None), "queued"),
        (run_of(dbt_run="running", export=None), "dbt_run"),
        (run_of(dbt_run="success", export="scheduled"), "between tasks"),
        (run_of(dbt_run="up_for_retry", export=None), "dbt_run failed and is tried again soon"),
        (run_of(dbt_run="success", export="failed", load="upstream_failed"), "export failed"),
        ([TaskState("dbt_run", "running", 1.0, 2)], "dbt_run, try 2"),
    ],
)
def test_a_run_is_told_in_a_few_words(tasks: list[TaskState], said: str) -> None:
    assert what_it_does(tasks) == said
