"""A run that exceeds its time limit: cut off by the scheduler, reported by the dag-processor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from running_platform import RunningPlatform, wait_until

from devstack.environment import airflow_home

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

DAG = "sleeps_beyond_its_limit"
DAG_FILE = f'''
import time
from datetime import timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from stir.dag_declaration import DagDeclaration, Documentation, Kind

with DagDeclaration(
    dag_id="{DAG}",
    kind=Kind.HEALTH_CHECK,
    schedule=None,
    run_limit=timedelta(seconds=5),
    task_limit=timedelta(minutes=5),
    documentation=Documentation(purpose="Sleep.", inputs="None.", outputs="None.", on_failure="It is meant to fail."),
).dag():
    PythonOperator(task_id="sleep", python_callable=time.sleep, op_args=[200])
'''
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


@pytest.fixture
def second_dag_folder(platform: RunningPlatform) -> Iterator[Path]:
    """A DAG folder beside the platform's own, which Airflow reads as another bundle while the test runs."""
    folder = platform.settings.home.parent / "second_dag_folder"
    folder.mkdir(exist_ok=True)
    (folder / "sleeps.py").write_text(DAG_FILE)
    bundles = [
        {"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}},
        {"name": "second-folder", "classpath": LOCAL_BUNDLE, "kwargs": {"path": str(folder)}},
    ]
    configuration = airflow_home(platform.settings) / "airflow.cfg"
    generated = configuration.read_text()
    configuration.write_text(f"[dag_processor]\ndag_bundle_config_list = {json.dumps(bundles)}\n")
    readers = ("airflow-scheduler", "airflow-dag-processor")
    assert platform.devstack("down", *readers).returncode == 0
    platform.up()
    yield folder
    configuration.write_text(generated)  # for the next start; until then both processes know an empty second folder
    for file in folder.glob("*.py"):
        file.unlink()
    platform.pids()


def test_a_run_beyond_its_time_limit_is_cut_off_and_one_alert_says_so(
    platform: RunningPlatform,
    second_dag_folder: Path,
    one_alert: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    platform.api.wait_for_dags({DAG})
    before = len(platform.alerts())
    with one_alert() as alerts:
        run_id, state = platform.api.run(DAG, timeout=60)
        assert state == "failed"
        assert platform.task_state(DAG, run_id, "sleep") == "skipped"
        wait_until(lambda: len(platform.alerts()) > before, 60, "an alert")
    for part in (f"*{DAG}* run failed: timed out", run_id, "sleep", "exceeded its time limit"):
        assert part in alerts[0]
