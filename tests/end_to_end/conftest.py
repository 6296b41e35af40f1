"""One platform for all tests of this folder: started by `devstack demo`, ended by `devstack down`.

The files are numbered because each test finds the platform as the one before left it: first what a user does every
day, then what breaks things. Every test leaves the platform healthy, but for the last, which takes it down.

While you write a test, STIR_END_TO_END_HOME and STIR_END_TO_END_PORT_BASE name a stack that runs already, on which the
demonstration has run: it is used as it is and left running.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from running_platform import RunningPlatform

from devstack.ports import free_port_base
from devstack.settings import REPOSITORY, StackSettings

if TYPE_CHECKING:
    from dag_sweep import Sweep

if "AIRFLOW_HOME" not in os.environ:  # before anything imports Airflow
    airflow_home = tempfile.TemporaryDirectory(prefix="stir-airflow-")  # deleted when the interpreter ends
    os.environ["AIRFLOW_HOME"] = airflow_home.name
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")


@pytest.fixture(scope="session")
def platform() -> Iterator[RunningPlatform]:
    """A platform on which `demo --size small` has run once, in a folder and on ports of its own."""
    if kept := os.environ.get("STIR_END_TO_END_HOME"):
        running = RunningPlatform(
            StackSettings(home=Path(kept), port_base=int(os.environ["STIR_END_TO_END_PORT_BASE"]), ports={})
        )
        running.connect()
        yield running
        return
    parent = Path(tempfile.mkdtemp(prefix="stir-end-to-end-"))
    parent.chmod(0o711)  # PostgreSQL's user passes through
    running = RunningPlatform(StackSettings(home=parent / "stack", port_base=free_port_base(reserve=True), ports={}))
    try:
        running.demo = running.devstack("demo", "--size", "small")
        assert running.demo.returncode == 0, running.demo.stdout
        running.connect()
        yield running
    finally:
        down = running.devstack("down")
        shutil.rmtree(parent, ignore_errors=True)
    assert down.returncode == 0, down.stdout


@pytest.fixture(scope="session")
def declared_dags() -> dict[str, Any]:
    """The DAGs of `dags/` by id, as this process reads them."""
    from airflow.dag_processing.dagbag import DagBag

    return dict(DagBag(str(REPOSITORY / "dags")).dags)


@pytest.fixture(scope="session")
def sweep(platform: RunningPlatform, declared_dags: dict[str, Any]) -> Sweep:
    """Every DAG has run once: files 5a to 5e look at what each of them did."""
    from dag_sweep import sweep_all

    return sweep_all(platform, declared_dags)


@pytest.fixture
def untouched(platform: RunningPlatform):
    """Context manager: the live leaderboard is the same generation, row by row, at the end of the block."""

    @contextmanager
    def unchanged() -> Iterator[None]:
        before = platform.live_table()
        assert before["rows"] > 0
        yield
        assert platform.live_table() == before

    return unchanged


@pytest.fixture
def one_alert(platform: RunningPlatform):
    """Context manager: yields a list that holds, after the block, the one alert that came during it."""

    @contextmanager
    def exactly_one() -> Iterator[list[str]]:
        before = len(platform.alerts())
        came: list[str] = []
        yield came
        came += platform.alerts()[before:]
        assert len(came) == 1, came

    return exactly_one


@pytest.fixture
def no_alert(platform: RunningPlatform):
    """Context manager: no alert comes during the block."""

    @contextmanager
    def silence() -> Iterator[None]:
        before = platform.alerts()
        yield
        assert platform.alerts() == before

    return silence
