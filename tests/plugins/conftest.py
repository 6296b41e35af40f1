"""Fixtures of the plugin tests: an Airflow home of their own, the stack's connections, a Beat that misbehaves on
demand.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from misbehaving_beat import MisbehavingBeat

if "AIRFLOW_HOME" not in os.environ:  # before anything imports Airflow
    airflow_home = tempfile.TemporaryDirectory(prefix="stir-airflow-")  # deleted when the interpreter ends
    os.environ["AIRFLOW_HOME"] = airflow_home.name
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")


@pytest.fixture(autouse=True)
def now_is_now(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """NOW of a module is the time of the test, not of the import: a whole suite has most of an hour between them."""
    if isinstance(getattr(request.module, "NOW", None), datetime):
        monkeypatch.setattr(request.module, "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def beat_server() -> Iterator[MisbehavingBeat]:
    server = MisbehavingBeat()
    yield server
    server.close()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define an Airflow connection in the environment: `connection("beat", host="http://...")`."""

    def define(name: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "generic", **fields}))

    return define


class Left:
    """A task instance, as far as a task that fails leaves its page with it."""

    def __init__(self) -> None:
        self.page: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        assert key == "return_value"
        self.page = json.loads(json.dumps(value))


@pytest.fixture
def left() -> Left:
    return Left()


@pytest.fixture
def clickhouse(clickhouse_service: Any, connection: Callable[..., None]) -> Iterator[Any]:
    """A client of the local ClickHouse, with connection `clickhouse_gcc` pointing to the same server."""
    from clickhouse_driver import Client

    at = clickhouse_service.endpoint
    connection("clickhouse_gcc", host=at.host, port=at.native_port, login=at.user, password=at.password)
    client = Client(at.host, port=at.native_port, user=at.user, password=at.password)
    yield client
    client.disconnect()
