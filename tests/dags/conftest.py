"""The DAG folder, loaded once as the dag-processor loads it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="stir-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    """Every DAG of `dags/`."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS))
