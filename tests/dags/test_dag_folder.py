"""What must hold for every DAG, whoever adds it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from dag_inventory import RUN_LIMIT_MINUTES, SCHEDULE_VARIABLES, SCHEDULES
from stir.dag_declaration import REGISTRY, START
from stir.scrape_request import ScrapeSource

pytestmark = pytest.mark.unit
REPOSITORY = Path(__file__).parents[2]
DAGS = REPOSITORY / "dags"

NO_INPUT_OUTPUT = """
import socket, sys

def refuse(what):
    def refused(*_, **__):
        raise AssertionError(f"{what} while DAGs are parsed")
    return refused

from airflow.sdk import BaseHook, Connection, Variable
from airflow.sdk.execution_time import context
for name in ("get", "set", "keys"):
    if hasattr(Variable, name):
        setattr(Variable, name, refuse(f"Variable.{name}"))
Connection.get = refuse("Connection.get")
BaseHook.get_connection = refuse("BaseHook.get_connection")
context._get_connection = refuse("a connection look-up")
context._get_variable = refuse("a variable look-up")
socket.socket.connect = refuse("a network connection")
socket.socket.connect_ex = refuse("a network connection")
socket.getaddrinfo = refuse("a name look-up")

import importlib.util, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
from stir.dag_declaration import REGISTRY
heavy = {"dbt.cli.main", "pika", "boto3", "slack_sdk", "clickhouse_connect", "pandas"}
print(len(REGISTRY), ",".join(sorted(heavy & set(sys.modules))))
"""


@pytest.fixture(scope="module")
def dags(dag_bag: Any) -> dict[str, Any]:
    return dag_bag.dags


def test_every_file_imports_and_there_are_dags(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert dag_bag.dags


def test_ids_are_those_of_the_inventory(dags: dict[str, Any]) -> None:
    counted = {dag_id for dag_id in dags if REGISTRY[dag_id].counted}
    assert counted == set(SCHEDULES) | set(SCHEDULE_VARIABLES)


def test_schedules_are_those_of_the_inventory(dags: dict[str, Any]) -> None:
    for dag_id in dags:
        if dag_id in SCHEDULES:
            assert REGISTRY[dag_id].effective_schedule == SCHEDULES[dag_id], dag_id
        elif dag_id in SCHEDULE_VARIABLES:
            assert REGISTRY[dag_id].schedule_variable == SCHEDULE_VARIABLES[dag_id], dag_id
            assert REGISTRY[dag_id].schedule, f"{dag_id} has no default schedule"


def test_run_limits_are_those_of_the_inventory(dags: dict[str, Any]) -> None:
    agreed = {dag_id: timedelta(minutes=limit) for dag_id, limit in RUN_LIMIT_MINUTES.items() if dag_id in dags}
    assert {dag_id: dags[dag_id].dagrun_timeout for dag_id in agreed} == agreed


def test_every_dag_was_declared_the_one_way(dags: dict[str, Any]) -> None:
    assert set(dags) <= set(REGISTRY)


def test_every_dag_has_what_an_operator_relies_on(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert dag.owner and dag.owner != "airflow", dag_id
        assert dag.tags, dag_id
        assert dag.dagrun_timeout, dag_id
        assert dag.max_active_runs == 1, dag_id
        assert dag.catchup is False, dag_id
        assert dag.start_date == START, dag_id
        assert dag.on_failure_callback, dag_id
        for heading in ("**Inputs.**", "**Outputs.**", "**When it fails.**", "**Schedule and limits.**"):
            assert heading in dag.doc_md, f"{dag_id} lacks {heading}"


def test_every_task_has_retries_with_back_off_a_limit_and_an_alert(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert dag.tasks, dag_id
        for task in dag.tasks:
            name = f"{dag_id}.{task.task_id}"
            assert task.retries >= 1, name
            assert task.retry_exponential_backoff, name
            assert task.execution_timeout, name
            assert task.execution_timeout <= dag.dagrun_timeout, name
            assert task.on_failure_callback, name
            assert task.owner == dag.owner, name


def test_every_schedule_has_a_next_run(dags: dict[str, Any]) -> None:
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable

    now = datetime.now(UTC)
    for dag_id in dags:
        schedule = REGISTRY[dag_id].effective_schedule
        if not isinstance(schedule, str):
            continue
        timetable = CronTriggerTimetable(schedule, timezone="UTC")
        restriction = TimeRestriction(earliest=pendulum.instance(START), latest=None, catchup=False)
        due = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
        assert due is not None, dag_id
        assert due.run_after <= now + timedelta(days=32), dag_id


def test_pools_are_those_of_the_file_that_the_stack_imports(dags: dict[str, Any]) -> None:
    import json

    pools = set(json.loads((DAGS / "pools.json").read_text())) | {"default_pool"}
    for dag_id, dag in dags.items():
        assert {task.pool for task in dag.tasks} <= pools, dag_id


def test_parsing_touches_no_network_variable_or_connection_and_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_INPUT_OUTPUT, str(DAGS)],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'plugins'}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    count, heavy = done.stdout.splitlines()[-1].split(" ", 1)
    assert int(count) >= len({*SCHEDULES, *SCHEDULE_VARIABLES})
    assert heavy == "", f"imported while DAGs are parsed: {heavy}"


def test_no_module_has_a_name_that_dbt_takes_for_its_own_plugin() -> None:
    assert [path.name for path in [*DAGS.rglob("dbt_*.py"), *DAGS.rglob("dbt_*/")]] == []


def test_every_candidate_query_belongs_to_a_dag_and_every_dag_has_its_query(dags: dict[str, Any]) -> None:
    used = {
        task.op_kwargs["source"].candidates
        for dag in dags.values()
        for task in dag.tasks
        if "source" in getattr(task, "op_kwargs", {})
    }
    assert all(path.is_file() for path in used)
    assert used == set((DAGS / "candidates").glob("*.sql"))


def test_airflow_does_not_take_the_package_for_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow._shared.module_loading import find_path_from_directory

    found = list(find_path_from_directory(REPOSITORY / "plugins", ".airflowignore", "glob"))
    assert [path for path in found if "stir" in Path(path).parts and path.endswith(".py")] == []


def test_the_page_of_a_scrape_dag_says_whom_it_asks_about_and_how_often(dags: dict[str, Any]) -> None:
    def rules(dag_id: str) -> str:
        return dags[dag_id].doc_md.split("**Whom it asks about.** ", 1)[1]

    assert rules("sync_insta_stories") == (
        "Flow `refresh_stories_posts`: at most 1000 entities a run. At most one request in 20 hours. One that failed "
        "counts for 2 hours only."
    )
    assert rules("sync_insta_profile_followers") == (
        "Flow `fetch_profile_followers`: at most 500 entities a run. At most 4 requests in 1 day. Given up after 8 "
        "failures without a success in 14 days, not counting failures that begin with `(204`, `(409`, `(429` or "
        "contain `NoneType`."
    )
    assert rules("sync_insta_collection_stories").count("**Whom it asks about.** ") == 1
    assert "at most 250 requests a run" in rules("sync_insta_collection_stories")
    assert "those of `asset_upload_flow_stories` count too" in rules("upload_post_asset")
    assert rules("sync_insta_profile_following").endswith("Nothing is sent while 1800 requests of the last hour wait "
                                                          "at Beat.")  # fmt: skip
    for dag in dags.values():
        sources = [task for task in dag.tasks if isinstance(getattr(task, "op_kwargs", {}).get("source"), ScrapeSource)]
        assert dag.doc_md.count("**Whom it asks about.** ") == len(sources), dag.dag_id
