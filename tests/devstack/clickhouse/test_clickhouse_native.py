"""The native TCP protocol by clickhouse-driver, the client of dbt's native driver and of the Airflow plugin."""

from __future__ import annotations

import socket

import clickhouse_driver
import pytest
from clickhouse_driver.errors import ServerException

pytestmark = pytest.mark.integration


def test_wrong_password_is_refused_with_code_516(clickhouse_server) -> None:
    client = clickhouse_driver.Client("127.0.0.1", clickhouse_server.native_port, user="stir", password="wrong")
    with pytest.raises(ServerException, match="Authentication failed") as raised:
        client.execute("SELECT 1")
    assert raised.value.code == 516


def test_unknown_database_is_refused_at_connect(clickhouse_server, open_native) -> None:
    with pytest.raises(ServerException) as raised:
        open_native(clickhouse_server, database="nowhere").execute("SELECT 1")
    assert raised.value.code == 81


def test_insert_and_select(native) -> None:
    native.execute(
        "CREATE TABLE t (a UInt64, b String, c String DEFAULT 'made', d String ALIAS b) ENGINE = MergeTree ORDER BY a"
    )
    assert native.execute("INSERT INTO t (b, a) VALUES", [("x", 1), ("y", 2)]) == 2
    assert native.execute("INSERT INTO t VALUES", [{"a": 3, "b": "z", "c": "given"}]) == 1
    rows, columns = native.execute("SELECT a, b, c FROM t ORDER BY a", with_column_types=True)
    assert rows == [(1, "x", "made"), (2, "y", "made"), (3, "z", "given")]
    assert columns == [("a", "UInt64"), ("b", "String"), ("c", "String")]


def test_rows_in_the_statement_itself(native) -> None:
    native.execute("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    native.execute("INSERT INTO t VALUES (1, 'x'), (2, upper('y'))")
    native.execute('INSERT INTO t (a, b) FORMAT CSV\n3,"z,"\n')
    assert native.execute("SELECT * FROM t ORDER BY a") == [(1, "x"), (2, "Y"), (3, "z,")]


def test_insert_head_variants(native, database) -> None:
    native.execute(
        "CREATE TABLE `odd name` (`a b` UInt64, c String MATERIALIZED 'm') ENGINE = MergeTree ORDER BY tuple()"
    )
    for head in (
        "INSERT INTO `odd name` VALUES",
        f"INSERT INTO {database}.`odd name` (`a b`) VALUES",
        "insert into table `odd name` (* EXCEPT(c)) settings async_insert = 0 values",
        "INSERT INTO `odd name` FORMAT Native",
    ):
        native.execute(head, [(1,)])
    assert native.execute("SELECT count(), any(c) FROM `odd name`") == [(4, "m")]


def test_empty_results_keep_names_and_types(native) -> None:
    assert native.execute("SELECT toUInt8(1) AS a, 'x' AS b WHERE 0", with_column_types=True) == (
        [],
        [("a", "UInt8"), ("b", "String")],
    )


def test_statements_with_and_without_results(native, database) -> None:
    assert native.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a") == []
    assert native.execute("SHOW TABLES") == [("t",)]
    assert native.execute("EXISTS TABLE t") == [(1,)]
    assert native.execute("DESCRIBE TABLE t")[0][:2] == ("a", "UInt64")
    assert native.execute(f"SHOW TABLES FROM {database} LIKE 'none'") == []
    assert native.execute("SELECT 1 FORMAT JSON") == [(1,)]  # the native protocol has its own format
    assert native.execute("SELECT a FROM (SELECT 1 AS a UNION ALL SELECT 2) ORDER BY a") == [(1,), (2,)]


def test_errors_carry_code_and_message_and_the_connection_goes_on(native) -> None:
    with pytest.raises(ServerException, match="Unknown table expression identifier 'nowhere'") as raised:
        native.execute("SELECT * FROM nowhere")
    assert raised.value.code == 60
    native.execute("CREATE TABLE t (a UInt8, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ServerException) as raised:
        native.execute("INSERT INTO t VALUES", [(1,), (50,)])
    assert raised.value.code == 469
    with pytest.raises(ServerException) as raised:
        native.execute("SELECT throwIf(number = 300000) FROM numbers(1000000)")  # in the middle of the blocks
    assert raised.value.code == 395
    assert native.execute("SELECT 1") == [(1,)]


def test_settings_hold_for_one_query_and_unknown_ones_only_matter_if_important(native) -> None:
    read = "SELECT getSetting('max_block_size')"
    [(default,)] = native.execute(read)
    assert native.execute(read, settings={"max_block_size": 1234, "session_id": "unknown, from dbt"}) == [(1234,)]
    assert native.execute(read) == [(default,)]
    native.execute("SET max_block_size = 4321")
    assert native.execute(read, settings={"max_block_size": 1234}) == [(1234,)]
    assert native.execute(read) == [(4321,)]
    native.connection.settings_is_important = True
    with pytest.raises(ServerException) as raised:
        native.execute(read, settings={"no_such_setting": 1})
    assert raised.value.code == 115


def test_connection_has_its_own_database_and_temporary_tables(clickhouse_server, open_native, native, database) -> None:
    native.execute("CREATE TEMPORARY TABLE mine AS SELECT 1 AS a")
    assert native.execute("SELECT currentDatabase(), (SELECT a FROM mine)") == [(database, 1)]
    other = open_native(clickhouse_server)
    assert other.execute("SELECT currentDatabase()") == [("default",)]
    with pytest.raises(ServerException):
        other.execute("SELECT * FROM mine")


def test_large_result_and_streaming(native) -> None:
    rows = native.execute_iter("SELECT number, toString(number) FROM numbers(300000)", chunk_size=50_000)
    assert sum(len(chunk) for chunk in rows) == 300_000
    native.execute("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    native.execute(
        "INSERT INTO t VALUES", ((number, "x" * 50) for number in range(100_000)), settings={"insert_block_size": 1000}
    )
    assert native.execute("SELECT count(), sum(a), sum(length(s)) FROM t") == [(100_000, 4999950000, 5_000_000)]


def test_what_cannot_be_done_is_refused_clearly(clickhouse_server, native) -> None:
    with pytest.raises(ServerException, match="External tables are not supported"):
        native.execute(
            "SELECT * FROM e", external_tables=[{"name": "e", "structure": [("a", "Int8")], "data": [{"a": 1}]}]
        )
    assert native.execute("SELECT 1") == [(1,)]
    with pytest.raises(ServerException, match="Kafka"):
        native.execute("CREATE TABLE k (a Int8) ENGINE = Kafka")


def test_compression_is_refused_with_an_error_that_arrives(clickhouse_server, open_native) -> None:
    client = open_native(clickhouse_server)
    client.execute("SELECT 1")
    client.connection.compression = 1  # what a client with clickhouse-cityhash would ask for
    with pytest.raises(ServerException, match="compression=False") as raised:
        client.execute("SELECT 1")
    assert raised.value.code == 48


def test_garbage_ends_only_its_own_connection(clickhouse_server, native) -> None:
    with socket.create_connection(("127.0.0.1", clickhouse_server.native_port), timeout=5) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(100) == b""
    assert native.execute("SELECT 1") == [(1,)]
