"""What the demonstration says of a run while it waits for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from devstack.airflow_api import TaskState, longest_retry_delay
from devstack.demo import what_it_does

pytestmark = pytest.mark.unit


def run_of(**states: str | None) -> list[TaskState]:
    return [TaskState(name, state, 1.0, 1, 3) for name, state in states.items()]


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (run_of(), "queued"),
        (run_of(dbt_run=None), "queued"),
        (run_of(dbt_run="running", export=None), "dbt_run"),
        (run_of(dbt_run="success", export="scheduled"), "between tasks"),
        (run_of(dbt_run="up_for_retry", export=None), "dbt_run failed, try 2 of 3 soon"),
        (run_of(dbt_run="success", export="failed", load="upstream_failed"), "export failed"),
        ([TaskState("dbt_run", "running", 1.0, 2, 3)], "dbt_run, try 2 of 3"),
    ],
)
def test_a_run_is_told_in_a_few_words(tasks: list[TaskState], said: str) -> None:
    assert what_it_does(tasks) == said


def test_a_task_that_waits_for_its_next_try_says_which_and_in_how_many_seconds() -> None:
    by = datetime.now(UTC) + timedelta(seconds=55.4)
    said = what_it_does([TaskState("dbt_run", "up_for_retry", 1.0, 1, 3, by)])
    assert re.fullmatch(r"dbt_run failed, try 2 of 3 in at most 5[45] s", said)


@pytest.mark.parametrize(("multiplier", "tries", "seconds"), [(0.0, 2, 60), (1.0, 2, 60), (2.0, 1, 120), (2.0, 2, 240)])
def test_the_longest_wait_doubles_what_the_back_off_asks_for(multiplier: float, tries: int, seconds: int) -> None:
    task = {
        "retry_delay": {"__type": "TimeDelta", "days": 0, "seconds": 60, "microseconds": 0},
        "retry_exponential_backoff": multiplier,
    }
    assert longest_retry_delay(task, tries) == timedelta(seconds=seconds)
