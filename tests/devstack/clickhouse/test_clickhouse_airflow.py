"""airflow-clickhouse-plugin over the native protocol: hook, operator, sensor."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def connection(clickhouse_server, database, monkeypatch) -> str:
    """Id of an Airflow connection to the test's database."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_CLICKHOUSE_TEST",
        json.dumps(
            {
                "conn_type": "clickhouse",
                "host": clickhouse_server.host,
                "port": clickhouse_server.native_port,
                "login": clickhouse_server.user,
                "password": clickhouse_server.password,
                "schema": database,
            }
        ),
    )
    return "clickhouse_test"


def test_hook(connection: str) -> None:
    from airflow_clickhouse_plugin.hooks.clickhouse import ClickHouseHook

    hook = ClickHouseHook(clickhouse_conn_id=connection)
    hook.execute("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    hook.execute("INSERT INTO t VALUES", [(1, "x"), (2, "it's")])
    assert hook.execute(["SELECT 1", "SELECT * FROM t ORDER BY a"]) == [(1, "x"), (2, "it's")]
    assert hook.execute("SELECT b FROM t WHERE a = %(a)s", {"a": 2}) == [("it's",)]


def test_operator_and_sensor(connection: str) -> None:
    from airflow_clickhouse_plugin.operators.clickhouse import ClickHouseOperator
    from airflow_clickhouse_plugin.sensors.clickhouse import ClickHouseSensor

    operator = ClickHouseOperator(
        task_id="build",
        clickhouse_conn_id=connection,
        sql=["CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a", "INSERT INTO t SELECT 7", "SELECT a FROM t"],
        with_column_types=True,
        query_id="an-id",
        settings={"max_execution_time": 60},
    )
    assert operator.execute({}) == ([(7,)], [("a", "UInt64")])
    sensor = ClickHouseSensor(task_id="wait", clickhouse_conn_id=connection, sql="SELECT count() > 0 FROM t")
    assert sensor.poke({})
