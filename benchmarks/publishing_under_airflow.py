"""The publishing half of dbt_core under Airflow's own scheduler: from the end of the models to the swap.

    python benchmarks/publishing_under_airflow.py [--profiles 500000] [--rounds 3]

A private stack with Airflow, an empty warehouse, and the mart of the core metrics filled by hand. After one run of
dbt_core the tasks from `freshness` on are cleared and run again, `--rounds` times. Seconds count from the request to
clear, which the scheduler has to notice as it has to notice the end of `dbt_run`, until the end of `swap`.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import clickhouse_driver

from benchmarks.event_store.report import print_table, say
from benchmarks.private_stack import private_stack
from benchmarks.serving_path.marts import fill_core_metrics
from devstack.airflow_api import AirflowApi
from devstack.progress import SilentProgress
from devstack.schema_step import apply_schema
from devstack.settings import AIRFLOW_USER
from devstack.stack import Stack

SERVICES = ("clickhouse", "s3", "sshd", "sinker", "airflow-api", "airflow-scheduler", "airflow-dag-processor")
DAG = "dbt_core"
STEPS = ("freshness", "export", "manifest", "fetch", "load", "enrich", "guard", "index", "swap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=500_000, help="rows of the mart (default 500000)")
    parser.add_argument("--rounds", type=int, default=3, help="publications (default 3)")
    options = parser.parse_args()
    with private_stack() as stack:
        say("starting the stack")
        stack.up(SERVICES)
        apply_schema(stack.settings, stack.secrets, stack.wanted(SERVICES), SilentProgress())
        rounds = measure(stack, options.profiles, options.rounds)
    print(f"{options.profiles:,} profiles, {options.rounds} rounds; {os.cpu_count()} cores, {datetime.now(UTC).date()}")
    print_rounds(rounds)


def measure(stack: Stack, profiles: int, rounds: int) -> list[dict[str, Any]]:
    """Task instances by id of each publication, and the moment it was asked for under the key `asked`."""
    address = stack.services["airflow-api"].address
    measured = []
    with AirflowApi(address, AIRFLOW_USER, stack.secrets.airflow_password) as api:
        api.wait_for_dags({DAG})
        say("dbt_core over the empty warehouse")
        run_id = api.trigger(DAG)
        api.set_paused(DAG, False)
        if api.wait(DAG, run_id, 600) != "success":
            raise SystemExit(f"dbt_core failed: {api.tasks(DAG, run_id)}")
        for number in range(rounds):
            fill(stack, profiles)
            say(f"publication {number + 1} of {rounds}")
            asked = datetime.now(UTC)
            clear(api, run_id)
            api.wait(DAG, run_id, 600)
            tasks = instances(api, run_id)
            if tasks["swap"]["state"] != "success":
                states = ", ".join(f"{name} {task['state']}" for name, task in tasks.items())
                raise SystemExit(f"nothing was published: {states}")
            measured.append(tasks | {"asked": asked})
            time.sleep(1)
    return measured


def fill(stack: Stack, profiles: int) -> None:
    """Replace the mart by `profiles` generated rows."""
    here = stack.services["clickhouse"].endpoint
    login = {"user": here.user, "password": here.password}
    with clickhouse_driver.Client(host=here.host, port=here.native_port, **login) as client:
        fill_core_metrics(client, profiles)


def clear(api: AirflowApi, run_id: str) -> None:
    """Let the tasks from `freshness` on run again."""
    body = {"dag_run_id": run_id, "task_ids": ["freshness"], "include_downstream": True, "only_failed": False}
    api._call("POST", f"/dags/{DAG}/clearTaskInstances", json={**body, "dry_run": False, "reset_dag_runs": True})


def instances(api: AirflowApi, run_id: str) -> dict[str, Any]:
    found = api._call("GET", f"/dags/{DAG}/dagRuns/{run_id}/taskInstances", params={"limit": 200})
    return {task["task_id"]: task for task in found["task_instances"]}


def print_rounds(rounds: list[dict[str, Any]]) -> None:
    rows = []
    for step in STEPS:
        taken = [each[step]["duration"] for each in rounds]
        rows.append((step, *spread(taken)))
    own = [sum(each[step]["duration"] for step in STEPS) for each in rounds]
    whole = [(moment(each["swap"]["end_date"]) - each["asked"]).total_seconds() for each in rounds]
    rows.append(("all of these", *spread(own)))
    rows.append(("between them", *spread([all_of - tasks for all_of, tasks in zip(whole, own, strict=True)])))
    rows.append(("to the end of swap", *spread(whole)))
    print_table("task|median, s|lowest|highest", rows)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def spread(values: list[float]) -> tuple[str, str, str]:
    return f"{statistics.median(values):.1f}", f"{min(values):.1f}", f"{max(values):.1f}"


if __name__ == "__main__":
    main()
