"""The DAG under Airflow itself: dependencies, XComs, templates, teardowns and run states, with all servers real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.serving.conftest import STEPS

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import json, os, sys
sys.path[:0] = [{dags!r}, {plugins!r}]
import airflow.utils.db as db
db.initdb()
from airflow.models.dagbag import DagBag
from airflow.models.pool import Pool
from airflow.utils.session import create_session
with create_session() as session:
    Pool.create_or_update_pool("serving", 2, "", False, session=session)
import {module}
dag = {module}.{dag}
dag.get_task("manifest").retries = 0
dag.get_task("freshness").timeout = 0
if "BREAKS_VACUUM" in os.environ:
    dag.get_task("vacuum").retries = 0
    dag.get_task("vacuum").sql = "vacuum no_such_table"
    from airflow.providers.standard.operators.python import PythonOperator
    PythonOperator(task_id="building", python_callable=print, dag=dag) >> dag.get_task("freshness")
run = dag.test(run_conf=None)
states = {{ti.task_id: str(ti.state) for ti in run.get_task_instances()}}
print("RESULT " + json.dumps({{"run": str(run.state), "tasks": states}}))
"""


TIER = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from stir.serving.naming import PRODUCTION
from stir.serving.sync_dag import build_and_publish
from stir.serving.targets.leaderboard import LEADERBOARD
from datetime import datetime, timedelta
def fail():
    raise ValueError("another model failed")
with DAG("tier", start_date=datetime(2026, 1, 1), schedule=None, dagrun_timeout=timedelta(minutes=30)) as tier:
    build_and_publish(PythonOperator(task_id="building", python_callable=fail), LEADERBOARD, PRODUCTION, pool="serving")
"""


def run_dag(tmp_path: Path, dag: str = "serving.sync_leaderboard_prod", folder: Path = ROOT / "dags") -> dict:
    """Run the DAG once by `dag.test()` in a process of its own, against a metadata database of its own."""
    module, name = dag.split(".")
    code = PROGRAM.format(dags=str(folder), plugins=str(ROOT / "plugins"), module=module, dag=name)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert found, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(found[-1].removeprefix("RESULT "))


def test_successful_run_then_refused_run_then_skipped_run(publishing, tmp_path):
    publishing.fill(60)
    outcome = run_dag(tmp_path)
    assert outcome["run"] == "success", outcome
    assert set(outcome["tasks"].values()) == {"success"}
    assert publishing.rows() == 60
    assert publishing.tables() == {"leaderboard", "leaderboard_old_bkp"}
    ((seconds,),) = publishing.query("select seconds from serving_ledger")
    assert {"export", "manifest", "fetch", "load", "enrich", "guard", "index", "swap", "vacuum"} <= set(seconds)

    publishing.fill(3)
    outcome = run_dag(tmp_path)
    assert outcome["run"] == "failed"
    assert outcome["tasks"]["guard"] == "failed"
    assert outcome["tasks"]["swap"] == "upstream_failed"
    assert outcome["tasks"]["clean_host"] == outcome["tasks"]["clean_database"] == "success"
    assert publishing.rows() == 60
    assert publishing.tables() == {"leaderboard", "leaderboard_old_bkp"}, "a refused run leaves no working table"

    publishing.clickhouse.execute("drop table dbt.mart_leaderboard sync")
    publishing.query("truncate serving_ledger")
    outcome = run_dag(tmp_path)
    assert outcome["run"] == "success", "nothing to publish is no failure"
    assert {outcome["tasks"][step] for step in ("freshness", "export", "swap", "ledger")} == {"skipped"}
    assert publishing.rows() == 60


def test_a_tier_in_which_a_model_failed_publishes_the_mart_that_was_built_and_ends_as_failed(publishing, tmp_path):
    publishing.fill(60)
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "one_tier.py").write_text(TIER)
    outcome = run_dag(tmp_path, "one_tier.tier", folder)
    assert outcome["run"] == "failed"
    assert outcome["tasks"].pop("building") == "failed"
    assert outcome["tasks"].pop("every_model") == "upstream_failed"
    assert set(outcome["tasks"].values()) == {"success"}
    assert publishing.rows() == 60


def test_ledger_is_complete_where_the_vacuum_failed_and_the_run_fails(publishing, tmp_path, monkeypatch):
    monkeypatch.setenv("BREAKS_VACUUM", "1")
    publishing.fill(60)
    outcome = run_dag(tmp_path)
    assert outcome["run"] == "failed"
    failed = {task for task, state in outcome["tasks"].items() if state != "success"}
    assert failed == {"vacuum", "ledger"}, outcome
    assert publishing.rows() == 60
    ((seconds,),) = publishing.query("select seconds from serving_ledger")
    assert set(seconds) == {"freshness", *STEPS}
