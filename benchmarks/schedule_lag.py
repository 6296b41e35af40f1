"""From due to running at midnight, the busiest minute: how long each due DAG waits, and for what; also with many more
DAGs than there are.

    python benchmarks/schedule_lag.py [--copies 0 9] [--size small]

A private stack with everything on it and a synthetic world, every model built. The DAG folder is this repository's,
except that all DAGs that are due on a Sunday at 00:00 are due at one minute soon, and no other is. They do their real
work when that minute comes. For each of their runs, from Airflow's own records:

- created: from the due minute until the run is there;
- running: until the run is running;
- first task: until its first task runs;
- of that, slot: the part in which the task could run, but its pool or the machine's parallelism had no room. It is
  meant to be: one dbt process at a time, four tasks that ask Beat, and so on;
- without slot: the rest, which is the scheduler's own and the start of the task's process.

Sensors that look again later count by their first look and have no slot: Airflow forgets when it began to wait for one.

`--copies` repeats it with so many more copies of every DAG (9 makes ten times as many), unpaused and not due in that
minute: what the scheduler and the dag-processor have to look at besides.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import psutil
import psycopg2

import devstack.services.airflow as airflow_services
from benchmarks.event_store.report import print_table, say
from benchmarks.private_stack import private_stack
from benchmarks.publishing_under_airflow import moment
from devstack.airflow_api import AirflowApi
from devstack.environment import environment
from devstack.progress import SilentProgress
from devstack.schema_step import apply_schema
from devstack.services.base import base_environment
from devstack.settings import AIRFLOW_DATABASE, AIRFLOW_USER, postgres_dsn
from devstack.stack import Stack
from tests.dags.dag_inventory import SCHEDULE_VARIABLES, SCHEDULES

AIRFLOW = ("airflow-api", "airflow-scheduler", "airflow-dag-processor")
SERVERS = ("postgres", "rabbitmq", "clickhouse", "s3", "sshd", "slack", "beat", "partners", "sinker")
DAGS = ROOT / "dags"

PREFIX = """
import dataclasses as _dataclasses
from datetime import UTC as _UTC, datetime as _datetime
from croniter import croniter as _croniter
import stir.dag_declaration as _declaration

_SUNDAY = _datetime(2026, 11, 29, tzinfo=_UTC)
_real_schedule = _declaration.DagDeclaration.effective_schedule.fget
_real_dag = _declaration.DagDeclaration.dag

def _schedule(self):
    schedule = _real_schedule(self)
    due = isinstance(schedule, str) and _croniter.match(schedule, _SUNDAY)
    return {due!r} if due and not {suffix!r} else {otherwise!r}

def _dag(self):
    return _real_dag(_dataclasses.replace(self, dag_id=self.dag_id + {suffix!r}) if {suffix!r} else self)

_declaration.START = _datetime.fromisoformat({start!r})
_declaration.DagDeclaration.effective_schedule = property(_schedule)
_declaration.DagDeclaration.dag = _dag
"""
"""Put into every copied DAG file: other schedules, another start, for copies other ids."""

NEVER = "0 0 1 1 *"
BY_HAND = "manual.py"
"""DAGs that only people start. They name the others by their ids and are not copied."""
COPIED = len(SCHEDULES) + len(SCHEDULE_VARIABLES)
"""DAGs that have copies: all but those."""


@dataclass(frozen=True)
class Waits:
    """Seconds from the due minute of one run."""

    dag_id: str
    state: str
    pool: str
    created: float
    running: float
    first_task: float
    slot: float | None

    @property
    def without_slot(self) -> float:
        return self.first_task - (self.slot or 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--copies", type=int, nargs="+", default=[0, 9], help="more copies of each DAG, one minute each (default 0 9)"
    )
    parser.add_argument("--size", default="small", help="synthetic world (default small)")
    options = parser.parse_args()
    with private_stack() as stack:
        folder = stack.settings.home.parent / "dags"
        use_folder(folder)
        fill(stack, options.size)
        for copies in options.copies:
            print_waits(copies, *midnight(stack, folder, copies))
            end_runs(stack)


def use_folder(folder: Path) -> None:
    """Let the stack's Airflow read that DAG folder, with new DAGs unpaused."""
    own = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder), "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"}
    airflow_services.environment = lambda *stack: environment(*stack) | own


def fill(stack: Stack, size: str) -> None:
    """Start the servers, load the world and build every model once."""
    say("starting the servers")
    stack.up(SERVERS)
    apply_schema(stack.settings, stack.secrets, stack.wanted(SERVERS), SilentProgress())
    say(f"loading the {size} world, building every model")
    variables = base_environment(stack.settings) | environment(stack.settings, stack.secrets)
    python = Path(sys.executable)
    for command in (
        [python, "-m", "devstack.world", "load", "--size", size],
        [python.parent / "dbt", "--quiet", "seed"],
        [python.parent / "dbt", "--quiet", "run", "--target-path", str(stack.settings.home / "target")],
    ):
        subprocess.run([str(part) for part in command], cwd=ROOT, env=variables, check=True)


def midnight(stack: Stack, folder: Path, copies: int) -> tuple[list[Waits], float, float]:
    """Waits of every due run, and the share of a core that scheduler and dag-processor took before that minute."""
    lead = timedelta(seconds=120 + 20 * copies)
    due = (datetime.now(UTC) + lead).replace(second=0, microsecond=0) + timedelta(minutes=1)
    write_folder(folder, due, copies)
    stack.up(AIRFLOW)
    try:
        with AirflowApi(stack.services["airflow-api"].address, AIRFLOW_USER, stack.secrets.airflow_password) as api:
            expected = wait_until_known(api, due, copies)
            say(f"{expected} DAGs are due at {due:%H:%M}, {COPIED * (copies + 1)} are known besides those by hand")
            loads = load_until(stack, due)
            time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            return wait_until_started(stack, due, expected), *loads
    finally:
        stack.down(AIRFLOW)


def end_runs(stack: Stack) -> None:
    """Let nothing of this minute go on in the next: what was cut off counts as failed."""
    dsn = postgres_dsn(stack.settings, stack.secrets, AIRFLOW_DATABASE)
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("update dag_run set state = 'failed' where state in ('queued', 'running')")
        unfinished = ["scheduled", "queued", "running", "up_for_retry", "up_for_reschedule"]
        cursor.execute("update task_instance set state = 'failed' where state = any(%s)", [unfinished])


def write_folder(folder: Path, due: datetime, copies: int) -> None:
    """The repository's DAG files with the prefix, and their copies."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DAGS, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    start = (due - timedelta(minutes=1)).isoformat()
    cron = f"{due.minute} {due.hour} {due.day} {due.month} *"
    for module in sorted(DAGS.glob("*.py")):
        head, future, body = module.read_text().partition("from __future__ import annotations\n")
        for copy in range(1 if module.name == BY_HAND else copies + 1):
            suffix = f"_copy_{copy}" if copy else ""
            prefix = PREFIX.format(due=cron, start=start, suffix=suffix, otherwise=NEVER if copy else None)
            (folder / f"{module.stem}{suffix}.py").write_text(head + future + prefix + body)


def wait_until_known(api: AirflowApi, due: datetime, copies: int) -> int:
    """Number of DAGs that are due; exits when Airflow does not know every DAG half a minute before."""
    while True:
        dags: list[dict[str, Any]] = []
        while page := api._call("GET", "/dags", params={"limit": 100, "offset": len(dags)})["dags"]:
            dags += page
        next_runs = [dag["next_dagrun_run_after"] for dag in dags if dag["next_dagrun_run_after"]]
        at_due = sum(moment(text) == due for text in next_runs)
        copied = sum("_copy_" in dag["dag_id"] for dag in dags)
        if at_due and copied == COPIED * copies and len(dags) - copied > COPIED:
            time.sleep(5)
            return at_due
        if datetime.now(UTC) > due - timedelta(seconds=30):
            errors = ", ".join(api.import_errors()) or "no import errors"
            raise SystemExit(f"{len(dags)} DAGs are known, {at_due} of them due: too late for {due:%H:%M} ({errors})")
        time.sleep(2)


def load_until(stack: Stack, due: datetime) -> tuple[float, float]:
    """Share of a core that the scheduler and the dag-processor take, children included, while nothing is due yet."""
    names = ("airflow-scheduler", "airflow-dag-processor")
    before = [cpu_seconds(stack, name) for name in names]
    begun = time.monotonic()
    time.sleep(max(1.0, (due - datetime.now(UTC)).total_seconds() - 5))
    taken = time.monotonic() - begun
    return tuple((cpu_seconds(stack, name) - start) / taken for name, start in zip(names, before, strict=True))


def cpu_seconds(stack: Stack, name: str) -> float:
    """CPU seconds of a service so far: its process, those it has waited for, and its living children."""
    process = stack.services[name].main.process()
    total = sum(process.cpu_times()[:4])
    for child in process.children(recursive=True):
        try:
            total += sum(child.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


FIRST_TASKS = """
with started as (
    select
        ti.dag_id, ti.run_id, ti.pool, ti.scheduled_dttm, ti.queued_dttm,
        -- A sensor that looks again later starts anew each time; its first look counts.
        coalesce((select min(start_date) from task_reschedule where ti_id = ti.id), ti.start_date) as start_date,
        exists (select from task_reschedule where ti_id = ti.id) as looked_again
    from task_instance ti
    where ti.start_date is not null
)
select distinct on (run.dag_id)
    run.dag_id, run.state, started.pool,
    extract(epoch from run.queued_at - run.run_after)::float8,
    extract(epoch from run.start_date - run.run_after)::float8,
    extract(epoch from started.start_date - run.run_after)::float8,
    case when not looked_again then extract(epoch from started.queued_dttm - started.scheduled_dttm)::float8 end
from dag_run run
join started on started.dag_id = run.dag_id and started.run_id = run.run_id
where run.run_after = %s and run.run_type = 'scheduled'
order by run.dag_id, started.start_date
"""


def wait_until_started(stack: Stack, due: datetime, expected: int) -> list[Waits]:
    """The waits of all due runs once the first task of every one has started; half an hour at most."""
    deadline = time.monotonic() + 1800
    dsn = postgres_dsn(stack.settings, stack.secrets, AIRFLOW_DATABASE)
    while True:
        time.sleep(15)
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(FIRST_TASKS, [due])
            found = [Waits(*row) for row in cursor.fetchall()]
        if len(found) >= expected:
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(found)} of {expected} runs have started after half an hour")


def print_waits(copies: int, found: list[Waits], scheduler: float, processor: float) -> None:
    failed = sorted(each.dag_id for each in found if each.state == "failed")
    print(
        f"\n{len(found)} DAGs due at once, {COPIED * (copies + 1)} DAGs known; {os.cpu_count()} cores, "
        f"{datetime.now(UTC).date()}; failed: {', '.join(failed) or 'none'}\n"
        f"before the minute: scheduler {scheduler:.2f} of a core, dag-processor {processor:.2f}"
    )
    rows = [
        ("created", *quantiles([each.created for each in found])),
        ("running", *quantiles([each.running for each in found])),
        ("first task", *quantiles([each.first_task for each in found])),
        ("  slot", *quantiles([each.slot for each in found if each.slot is not None])),
        ("  without slot", *quantiles([each.without_slot for each in found if each.slot is not None])),
    ]
    print_table("from due, seconds|lowest|median|p90|highest", rows)
    pools = sorted({each.pool for each in found})
    by_pool = {pool: [each for each in found if each.pool == pool] for pool in pools}
    print_table(
        "pool of the first task|DAGs|first task, median s|highest s|without slot, highest s",
        [
            (
                pool,
                str(len(members)),
                f"{statistics.median(each.first_task for each in members):.1f}",
                f"{max(each.first_task for each in members):.1f}",
                f"{max(each.without_slot for each in members):.1f}",
            )
            for pool, members in by_pool.items()
        ],
    )


def quantiles(values: list[float]) -> tuple[str, str, str, str]:
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return f"{ordered[0]:.1f}", f"{statistics.median(ordered):.1f}", f"{high:.1f}", f"{ordered[-1]:.1f}"


if __name__ == "__main__":
    main()
