"""The one way in which a DAG of this platform is declared.

A declaration carries everything that an operator of the platform must be able to rely on: a fixed start, a limit on
the run and on each task, retries with back-off, an owner, documentation and alerts. It also enters the
registry, which tests and alerts read. Nothing here reads a Variable, a Connection or the network: the module is
imported at every parse.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from airflow.sdk import DAG

from stir.alerts import alert_run_failed, alert_task_failed
from stir.time_guards import DailyPause

START = datetime(2023, 1, 1, tzinfo=UTC)
"""Fixed for every DAG: a rolling start date never lets a weekly schedule fire."""

FIRST_RETRY_AFTER = timedelta(minutes=1)
LONGEST_RETRY_DELAY = timedelta(minutes=10)
TASK_SHARE_OF_RUN_LIMIT = 0.8


class Kind(StrEnum):
    """What a DAG does. Limits and the runbook follow from it unless a declaration says otherwise."""

    DBT = "dbt"
    SCRAPE_REQUEST = "scrape-request"
    SCRAPE_UPDATE = "scrape-request-update"
    MESSAGE_PER_ROW = "message-per-row"
    SERVING_SYNC = "serving-sync"
    SEARCH_IMPORT = "search-import"
    CRM_EVENT = "crm-event"
    HEALTH_CHECK = "health-check"
    HOUSEKEEPING = "housekeeping"
    OPERATOR = "operator"


RUN_LIMITS: Mapping[Kind, timedelta] = {
    Kind.SCRAPE_REQUEST: timedelta(minutes=30),
    Kind.SCRAPE_UPDATE: timedelta(minutes=30),
    Kind.MESSAGE_PER_ROW: timedelta(minutes=20),
    Kind.SERVING_SYNC: timedelta(minutes=120),
    Kind.CRM_EVENT: timedelta(minutes=30),
    Kind.HEALTH_CHECK: timedelta(minutes=10),
    Kind.HOUSEKEEPING: timedelta(minutes=10),
}
"""The "per kind" of the inventory's timeout column. Kinds that are missing here must name their limit."""


@dataclass(frozen=True, kw_only=True)
class Documentation:
    """The four things that somebody who is woken up by a DAG wants to know, each one paragraph of Markdown."""

    purpose: str
    inputs: str
    outputs: str
    on_failure: str

    def __post_init__(self) -> None:
        for part in ("purpose", "inputs", "outputs", "on_failure"):
            if not getattr(self, part).strip():
                raise ValueError(f"documentation of a DAG needs {part!r}: it is empty")

    @property
    def summary(self) -> str:
        """First sentence of the purpose, for the list of DAGs."""
        return flow(self.purpose).split(". ")[0].rstrip(".")


@dataclass(frozen=True, kw_only=True)
class DagDeclaration:
    """One DAG.

    `schedule` is a cron expression in UTC, an Airflow asset (or list of them), or None for manual runs only.
    `schedule_variable` names an Airflow Variable whose value replaces it. It is read from the environment only
    (`AIRFLOW_VAR_<NAME>`), because a look-up in the metadata database is not allowed while DAGs are parsed.
    `run_limit` becomes `dagrun_timeout`; `task_limit` becomes `execution_timeout` and defaults to 80 % of it, so
    that a task that hangs is reported as a task, with its log, before the run is cut off.
    `pause` are hours in which scheduled runs are skipped: the DAG begins with a task that calls `pause.check`, which
    a test checks.
    """

    dag_id: str
    kind: Kind
    schedule: Any
    documentation: Documentation
    tags: tuple[str, ...] = ()
    owner: str = "data-platform"
    run_limit: timedelta | None = None
    task_limit: timedelta | None = None
    retries: int = 2
    max_active_tasks: int = 1
    schedule_variable: str | None = None
    pause: DailyPause | None = None
    runbook: str | None = None
    pool: str = "default_pool"
    params: Mapping[str, Any] = field(default_factory=dict, compare=False)
    counted: bool = True
    """False for DAGs that only operators start and that the inventory does not list."""

    @property
    def limit(self) -> timedelta:
        """Limit on the whole run."""
        limit = self.run_limit or RUN_LIMITS.get(self.kind)
        if limit is None:
            raise ValueError(f"DAG {self.dag_id}: kind {self.kind} has no default run limit; set run_limit")
        return limit

    @property
    def limit_of_task(self) -> timedelta:
        """Limit on one try of one task."""
        return self.task_limit or self.limit * TASK_SHARE_OF_RUN_LIMIT

    @property
    def effective_schedule(self) -> Any:
        """The schedule that Airflow gets: the environment's, if the declaration names a variable and it is set."""
        if self.schedule_variable:
            return os.environ.get(f"AIRFLOW_VAR_{self.schedule_variable.upper()}", "").strip() or self.schedule
        return self.schedule

    @property
    def runbook_name(self) -> str:
        """Name of the page under docs/runbooks/ (without .md)."""
        return self.runbook or self.kind.value

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The kind, then the tags of the declaration."""
        return tuple(dict.fromkeys((self.kind.value, *self.tags)))

    def doc_md(self) -> str:
        """The page that the UI shows for this DAG."""
        text, schedule = self.documentation, self.effective_schedule
        when = (
            f"`{schedule}` (UTC)" if isinstance(schedule, str) else ("on assets" if schedule else "manual trigger only")
        )
        if self.schedule_variable:
            when += f", set by Variable `{self.schedule_variable}` from the environment, default `{self.schedule}`"
        if self.pause:
            when += f", but not from {self.pause.hours}, when {self.pause.reason}; a run started by hand does not pause"
        return "\n\n".join(
            (
                f"### {self.dag_id}\n\n{flow(text.purpose)}",
                f"**Inputs.** {flow(text.inputs)}",
                f"**Outputs.** {flow(text.outputs)}",
                f"**When it fails.** {flow(text.on_failure)} Runbook: `docs/runbooks/{self.runbook_name}.md`.",
                f"**Schedule and limits.** {when}; run limit {minutes(self.limit)} min, each try of a task "
                f"{minutes(self.limit_of_task)} min, {self.retries} retries with back-off; pool `{self.pool}`; "
                f"owner {self.owner}.",
            )
        )

    def dag(self) -> DAG:
        """Build the Airflow DAG and enter the declaration in the registry. Use it as a context manager.

        Raises ValueError when another declaration already has this id.
        """
        other = REGISTRY.get(self.dag_id)
        if other is not None and other != self:
            raise ValueError(f"DAG {self.dag_id} is declared twice, with different content")
        REGISTRY[self.dag_id] = self
        return DAG(
            dag_id=self.dag_id,
            description=self.documentation.summary,
            doc_md=self.doc_md(),
            schedule=self.effective_schedule,
            start_date=START,
            catchup=False,
            max_active_runs=1,
            max_active_tasks=self.max_active_tasks,
            dagrun_timeout=self.limit,
            tags=list(self.all_tags),
            params=dict(self.params),
            on_failure_callback=alert_run_failed,
            default_args={
                "owner": self.owner,
                "retries": self.retries,
                "retry_delay": FIRST_RETRY_AFTER,
                "retry_exponential_backoff": 2.0,
                "max_retry_delay": LONGEST_RETRY_DELAY,
                "execution_timeout": self.limit_of_task,
                "pool": self.pool,
                "on_failure_callback": alert_task_failed,
            },
        )


def flow(text: str) -> str:
    """A paragraph that was broken over indented source lines, as one line of Markdown."""
    return " ".join(text.split())


def minutes(span: timedelta) -> int:
    """Whole minutes of a time span."""
    return round(span.total_seconds() / 60)


REGISTRY: dict[str, DagDeclaration] = {}
"""Every DAG declared in this process, by id."""
