"""The DAG folder, loaded once as the dag-processor loads it."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

if "AIRFLOW_HOME" not in os.environ:  # before anything imports Airflow
    airflow_home = tempfile.TemporaryDirectory(prefix="stir-airflow-")  # deleted when the interpreter ends
    os.environ["AIRFLOW_HOME"] = airflow_home.name
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(autouse=True)
def now_is_now(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """NOW of a module is the time of the test, not of the import: a whole suite has most of an hour between them."""
    if isinstance(getattr(request.module, "NOW", None), datetime):
        monkeypatch.setattr(request.module, "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    """Every DAG of `dags/`."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS))
