"""What the configuration file brings: query log, memory limit, S3 by a named collection."""

from __future__ import annotations

import json
import uuid

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

pytestmark = pytest.mark.integration


def test_query_log_is_filled_by_both_protocols(http, native) -> None:
    mark = uuid.uuid4().hex
    http.query("SELECT 1", settings={"log_comment": mark})
    native.execute("SELECT 2", settings={"log_comment": mark})
    http.command("SYSTEM FLUSH LOGS")
    rows = http.query(
        "SELECT query, query_duration_ms >= 0, read_rows FROM system.query_log "
        f"WHERE log_comment = '{mark}' AND type = 'QueryFinish' AND query_kind = 'Select' AND query LIKE 'SELECT _%'"
    ).result_rows
    assert {row[0].strip() for row in rows} == {"SELECT 1", "SELECT 2"}


def test_memory_limit_is_the_one_of_the_configuration(http) -> None:
    setting = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
    assert http.command(setting) == 1_200_000_000
    with pytest.raises(DatabaseError, match="code: 241"):
        http.command("SELECT length(range(materialize(400000000)))")
    assert http.command("SELECT 1") == 1


def test_engines_that_do_not_exist_here_are_refused(http) -> None:
    with pytest.raises(DatabaseError, match="code: 56"):
        http.command("CREATE TABLE k (a Int8) ENGINE = Kafka SETTINGS kafka_broker_list = 'b'")
    with pytest.raises(DatabaseError):
        http.command("CREATE TABLE r (a Int8) ENGINE = ReplicatedMergeTree ORDER BY a")


def test_databases_are_atomic_and_tables_can_be_exchanged(http, database) -> None:
    assert http.command("SELECT engine FROM system.databases WHERE name = currentDatabase()") == "Atomic"
    for table, value in (("a", 1), ("b", 2)):
        http.command(f"CREATE TABLE {table} ENGINE = MergeTree ORDER BY x AS SELECT {value} AS x")
    http.command("EXCHANGE TABLES a AND b")
    assert http.query("SELECT (SELECT x FROM a), (SELECT x FROM b)").result_rows == [(2, 1)]


def read_object(s3, key: str) -> list[dict]:
    body = s3.get_object(Bucket="stir-exports", Key=key)["Body"].read()
    return [json.loads(line) for line in body.decode().splitlines()]


@pytest.mark.parametrize("protocol", ["http", "native"])
def test_export_through_the_named_collection(http, native, s3, protocol: str) -> None:
    key = f"exports/test/{protocol}/{uuid.uuid4().hex}.jsonl"
    statement = (
        f"INSERT INTO FUNCTION s3(stir_exports, filename = '{key}', format = 'JSONEachRow') "
        "SELECT number AS a, repeat('x\n😀', 10) AS b FROM numbers(1000) SETTINGS s3_truncate_on_insert = 1"
    )
    for _ in range(2):  # truncate: the second run replaces the object
        http.command(statement) if protocol == "http" else native.execute(statement)
    rows = read_object(s3, key)
    assert len(rows) == 1000
    assert rows[999] == {"a": 999, "b": "x\n😀" * 10}
    read_back = f"SELECT count(), sum(a) FROM s3(stir_exports, filename = '{key}', format = 'JSONEachRow')"
    assert native.execute(read_back) == [(1000, 499500)]


def test_rows_of_the_request_go_to_s3_too(http, s3) -> None:
    key = f"exports/test/{uuid.uuid4().hex}.jsonl"
    structure = "a UInt64, b String"
    http.command(
        f"INSERT INTO FUNCTION s3(stir_exports, filename = '{key}', format = 'JSONEachRow', structure = '{structure}') "
        "VALUES (1, 'x')"
    )
    assert read_object(s3, key) == [{"a": 1, "b": "x"}]


def test_credentials_of_the_collection_are_shown_to_nobody(http, s3) -> None:
    http.command(
        "INSERT INTO FUNCTION s3(stir_exports, filename = 'exports/secret/probe.csv', format = 'CSV') SELECT 1 "
        "SETTINGS s3_truncate_on_insert = 1"
    )
    http.command("SYSTEM FLUSH LOGS")
    for sql in ("SELECT * FROM system.named_collections", "SELECT * FROM system.query_log WHERE query ILIKE '%s3(%'"):
        assert b"export-secret-value" not in http.raw_query(sql, fmt="JSONEachRow")
    with pytest.raises(DatabaseError) as raised:
        http.command("SELECT * FROM s3(stir_exports, filename = 'exports/none/such.csv', format = 'CSV')")
    assert "export-secret-value" not in str(raised.value)
