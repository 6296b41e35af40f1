"""The evening pause at its edges, and waiting for another DAG's run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from stir.dag_declaration import REGISTRY, DagDeclaration, Documentation, Kind
from stir.dbt_run import dbt_run
from stir.time_guards import EVENING_PAUSE, AfterRunOf, DailyPause, is_manual

pytestmark = pytest.mark.unit


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("slot", "now", "passes"),
    [
        (at(17), at(17), True),
        (at(18, 59), at(18, 59), True),
        (at(19), at(19), False),
        (at(21, 30), at(21, 30), False),
        (at(22), at(22), True),
        (at(23), at(23), True),
        (at(17), at(19, 5), False),  # an earlier slot that starts late
        (at(21), at(22, 5), False),  # a slot of the pause that starts late
    ],
)
def test_slot_and_clock_both_count(slot: datetime, now: datetime, passes: bool) -> None:
    assert EVENING_PAUSE.lets_pass(slot, manual=False, now=now) is passes


def test_a_run_started_by_hand_is_meant() -> None:
    assert EVENING_PAUSE.lets_pass(at(20), manual=True, now=at(20))


def test_other_time_zones_are_converted_and_naive_times_refused() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert EVENING_PAUSE.covers(datetime(2026, 3, 2, 1, 0, tzinfo=india))  # 19:30 UTC
    assert not EVENING_PAUSE.covers(datetime(2026, 3, 1, 20, 0, tzinfo=india))
    with pytest.raises(ValueError, match="no time zone"):
        EVENING_PAUSE.covers(datetime(2026, 3, 1, 20, 0))  # noqa: DTZ001


class Runs:
    """Stands in for the task instance's question to Airflow: how many runs of a DAG are in a state, or at a date."""

    def __init__(self, active: int, at_slot: int) -> None:
        self.active, self.at_slot = active, at_slot

    def get_dr_count(self, dag_id: str, logical_dates: Any = None, states: Any = None) -> int:
        return self.active if states else self.at_slot


def ready(runs: Runs, *, waited: timedelta, run_type: str = "scheduled") -> bool:
    run = SimpleNamespace(start_date=datetime.now(UTC) - waited, run_type=run_type)
    return AfterRunOf("dbt_core").ready(ti=runs, dag_run=run, logical_date=at(12, 15))


@pytest.mark.parametrize(
    ("runs", "waited", "expected"),
    [
        (Runs(active=1, at_slot=1), timedelta(seconds=5), False),
        (Runs(active=0, at_slot=1), timedelta(seconds=5), True),
        (Runs(active=0, at_slot=0), timedelta(seconds=5), False),  # not created yet
        (Runs(active=0, at_slot=0), timedelta(minutes=2), True),  # never created: the DAG is paused
        (Runs(active=1, at_slot=1), timedelta(minutes=11), True),  # stuck
    ],
)
def test_a_scheduled_run_waits_for_the_run_of_its_slot_but_not_for_ever(
    runs: Runs, waited: timedelta, expected: bool
) -> None:
    assert ready(runs, waited=waited) is expected


def test_a_manual_run_waits_only_for_a_run_that_is_active() -> None:
    assert ready(Runs(active=0, at_slot=0), waited=timedelta(seconds=1), run_type="manual")
    assert not ready(Runs(active=1, at_slot=0), waited=timedelta(seconds=1), run_type="manual")


def test_run_types_come_as_text_or_as_enum() -> None:
    assert is_manual({"dag_run": SimpleNamespace(run_type="manual")})
    assert is_manual({"dag_run": SimpleNamespace(run_type=SimpleNamespace(value="manual"))})
    assert not is_manual({"dag_run": SimpleNamespace(run_type="scheduled")})


@pytest.mark.parametrize(("run_type", "skipped"), [("scheduled", True), ("manual", False)])
def test_a_tier_that_has_waited_into_the_pause_is_skipped_unless_somebody_started_it(
    run_type: str, skipped: bool
) -> None:
    """The guard has let it pass; then it waited for a slot of its pool, or this is a retry."""
    hour = datetime.now(UTC).hour
    pause = DailyPause(hour, hour + 2, "a test")
    documentation = Documentation(purpose="x", inputs="x", outputs="x", on_failure="x")
    declaration = DagDeclaration(
        dag_id="paused_tier", kind=Kind.DBT, schedule="0 * * * *", documentation=documentation, pause=pause,
        run_limit=timedelta(hours=1),
    )  # fmt: skip
    with declaration.dag() as dag:
        task = dbt_run("hourly")
    context = {
        "dag": dag, "dag_run": SimpleNamespace(run_type=run_type), "params": {},
        "logical_date": datetime.now(UTC) - timedelta(hours=3),
    }  # fmt: skip
    try:
        if skipped:
            with pytest.raises(AirflowSkipException, match=r"in the pause from .* UTC: a test"):
                task.execute(context)
        else:
            task.skip_in_a_pause(context)
    finally:
        del REGISTRY["paused_tier"]
