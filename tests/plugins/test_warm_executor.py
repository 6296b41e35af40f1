"""A task finds the large libraries loaded: what they cost once is not paid by each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.executors.local_executor import LocalExecutor
from stir import warm_executor

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
# What a task process does after its fork: its DAG's module, and the modules of the project.
A_TASK = """
import importlib, json, pathlib, pkgutil, sys
import airflow.jobs.scheduler_job_runner, airflow.sdk.execution_time.task_runner
from stir.warm_executor import load_libraries
missing = load_libraries()
before = set(sys.modules)
for path in sorted(pathlib.Path("dags").glob("*.py")):
    importlib.import_module(path.stem)
import stir
for module in pkgutil.walk_packages(stir.__path__, "stir."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps([missing, sorted(new), [name for name in before if name.startswith("stir.")]]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Libraries that could not be loaded, packages that a task imports after them, modules of the project before."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {"PATH": "", "AIRFLOW_HOME": str(home), "PYTHONPATH": "plugins:dags:."}
    ended = subprocess.run(
        [sys.executable, "-c", A_TASK], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_every_library_is_there(loaded: list[list[str]]) -> None:
    assert loaded[0] == []


def test_a_task_imports_no_large_library_itself(loaded: list[list[str]]) -> None:
    """Whoever uses another large library has it loaded here as well."""
    own = {"stir", *(path.stem for path in (REPOSITORY / "dags").glob("*"))}
    assert set(loaded[1]) - own - set(sys.stdlib_module_names) == {"airflow"}


def test_modules_of_the_project_are_left_to_the_tasks(loaded: list[list[str]]) -> None:
    """Else a deployment would take effect only when the scheduler is restarted."""
    assert loaded[2] == ["stir.warm_executor"]


def test_a_library_that_is_missing_or_broken_stops_no_scheduler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_library.py").write_text("raise TypeError('Descriptors cannot be created directly')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(warm_executor, "LIBRARIES", ("json", "no_such_library", "broken_library"))
    assert warm_executor.load_libraries() == ["no_such_library", "broken_library"]


def test_libraries_are_loaded_before_workers_are_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(warm_executor, "load_libraries", lambda: order.append("load"))
    monkeypatch.setattr(LocalExecutor, "start", lambda self: order.append("fork"))
    warm_executor.WarmLocalExecutor(parallelism=1).start()
    assert order == ["load", "fork"]
