"""Hours in which heavy work pauses, and waiting for another DAG's run of the same slot."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DailyPause:
    """Hours of the day, UTC, from `start` (included) to `end` (excluded), in which scheduled runs do not work."""

    start: int
    end: int
    reason: str

    @property
    def hours(self) -> str:
        """Start and end as people write them."""
        return f"{self.start:02d}:00 to {self.end:02d}:00"

    def covers(self, moment: datetime) -> bool:
        """Whether a moment (any time zone, never naive) lies inside the pause."""
        if moment.tzinfo is None:
            raise ValueError(f"a pause is in UTC, but {moment} has no time zone")
        return self.start <= moment.astimezone(UTC).hour < self.end

    def lets_pass(self, logical_date: datetime | None, manual: bool, now: datetime) -> bool:
        """Decide for one run.

        Both the slot and the clock count: a slot inside the pause is dropped however late it starts, and an earlier
        slot that starts late does not load the warehouse during the pause. Whoever starts a run by hand means it.
        """
        if manual:
            log.info("started by hand: the pause from %s UTC does not apply", self.hours)
            return True
        for name, moment in (("its slot", logical_date), ("the time now", now)):
            if moment is not None and self.covers(moment):
                log.info(
                    "skipped: %s (%s) is in the pause from %s UTC (%s)",
                    name, moment.isoformat(timespec="minutes"), self.hours, self.reason,
                )  # fmt: skip
                return False
        return True

    def check(self, **context: Any) -> bool:
        """Callable of a ShortCircuitOperator: False skips what follows."""
        return self.lets_pass(context.get("logical_date"), is_manual(context), datetime.now(UTC))


EVENING_PAUSE = DailyPause(19, 22, "dbt_daily rebuilds the leaderboards")
"""The one pause of the platform; dbt_hourly and dbt_collections share it."""


@dataclass(frozen=True)
class AfterRunOf:
    """Wait until another DAG's run of the same slot has ended, so that this run reads what that one wrote.

    The wait is bounded: when the other DAG is stuck, this one goes on with what is there rather than stopping as well.
    """

    dag_id: str
    at_most: timedelta = timedelta(minutes=10)
    appears_within: timedelta = timedelta(seconds=90)

    def ready(self, **context: Any) -> bool:
        """Callable of a PythonSensor. A manual run waits only for a run that is active now."""
        instance, run = context["ti"], context["dag_run"]
        waited = datetime.now(UTC) - run.start_date
        if waited > self.at_most:
            log.warning("%s has not ended after %s: going on with what it wrote before", self.dag_id, waited)
            return True
        if instance.get_dr_count(dag_id=self.dag_id, states=["queued", "running"]) > 0:
            log.info("waiting for %s", self.dag_id)
            return False
        logical_date = context.get("logical_date")
        if is_manual(context) or logical_date is None:
            return True
        ended = instance.get_dr_count(dag_id=self.dag_id, logical_dates=[logical_date]) > 0
        if not ended and waited < self.appears_within:
            log.info("waiting for the run of %s at %s to be created", self.dag_id, logical_date)
            return False
        return True


def is_manual(context: Mapping[str, Any]) -> bool:
    """Whether the run of this task was started by hand (UI, REST, CLI)."""
    run_type = getattr(context["dag_run"], "run_type", "")
    return str(getattr(run_type, "value", run_type)) == "manual"
