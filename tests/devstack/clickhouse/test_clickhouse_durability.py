"""What an acknowledged INSERT is worth: with many clients at once, after kill -9, with deduplication tokens."""

from __future__ import annotations

import base64
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_driver.errors import ServerException

from devstack.clickhouse import process

pytestmark = pytest.mark.integration


def test_eight_clients_insert_and_select_at_once(clickhouse_server, open_http, open_native, http, database) -> None:
    http.command("CREATE TABLE t (worker UInt8, a UInt64) ENGINE = MergeTree ORDER BY a")

    def work(worker: int) -> list[int]:
        seen = []
        by_http = open_http(clickhouse_server, database=database)
        by_native = open_native(clickhouse_server, database=database)
        for step in range(10):
            rows = [(worker, step * 100 + number) for number in range(100)]
            if worker % 2:
                by_http.insert("t", rows, column_names=["worker", "a"])
            else:
                by_native.execute("INSERT INTO t (worker, a) VALUES", rows)
            seen.append(by_native.execute(f"SELECT count() FROM t WHERE worker = {worker}")[0][0])
        return seen

    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(work, range(8)):
            assert seen == [100 * (step + 1) for step in range(10)]  # each client reads its own writes
    assert http.query("SELECT count(), uniqExact(worker, a) FROM t").result_rows == [(8000, 8000)]


def test_a_hundred_idle_connections_do_not_delay_a_new_one(clickhouse_server, open_native, http) -> None:
    address = (clickhouse_server.host, clickhouse_server.http_port)
    idle = [HTTPConnection(*address, timeout=10) for _ in range(100)]
    natives = [open_native(clickhouse_server) for _ in range(20)]
    try:
        for connection in idle:
            connection.request("GET", "/ping")
            assert connection.getresponse().read() == b"Ok.\n"
        for native in natives:
            native.execute("SELECT 1")
        started = time.monotonic()
        assert http.command("SELECT 1") == 1
        assert time.monotonic() - started < 5
        for connection in idle:  # they were kept alive, not dropped
            connection.request("GET", "/ping")
            assert connection.getresponse().read() == b"Ok.\n"
    finally:
        for connection in idle:
            connection.close()
        for native in natives:
            native.disconnect()


def test_statements_run_side_by_side(clickhouse_server, open_http) -> None:
    def sleep(_: int) -> None:
        open_http(clickhouse_server).command("SELECT sleep(1)")

    started = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(sleep, range(6)))
    assert time.monotonic() - started < 5.5  # one after the other: 6


def test_kill_9_loses_no_acknowledged_row_and_doubles_none(tmp_path, open_http, open_native) -> None:
    acknowledged: list[tuple[int, int]] = []
    attempted: set[tuple[int, int]] = set()
    guard = threading.Lock()
    with process.start(tmp_path) as server:
        setup = open_http(server)
        setup.command("CREATE DATABASE d")
        setup.command("CREATE TABLE d.t (writer UInt8, a UInt64) ENGINE = MergeTree ORDER BY (writer, a)")

        def write(writer: int) -> None:
            by_http = open_http(server) if writer % 2 else None
            by_native = None if writer % 2 else open_native(server)
            for start in range(0, 1_000_000, 50):
                rows = [(writer, number) for number in range(start, start + 50)]
                with guard:
                    attempted.update(rows)
                try:
                    if by_http:
                        by_http.insert("d.t", rows, column_names=["writer", "a"])
                    else:
                        by_native.execute("INSERT INTO d.t VALUES", rows)
                except Exception:
                    return  # the server is gone
                with guard:
                    acknowledged.extend(rows)

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while len(acknowledged) < 4000 and time.monotonic() < deadline:
            time.sleep(0.05)
        server.kill()
        for thread in threads:
            thread.join(30)
    assert len(acknowledged) >= 4000
    with process.start(tmp_path) as server:
        rows = open_native(server).execute("SELECT writer, a FROM d.t")
    assert set(acknowledged) <= set(rows) <= attempted
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("protocol", ["http", "native"])
def test_an_insert_that_the_table_refuses_is_an_error_and_writes_nothing(http, native, protocol: str) -> None:
    """The engine's own streaming INSERT would swallow these errors."""
    http.command("CREATE TABLE refused (a UInt16, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a")
    http.command("CREATE TABLE parted (a UInt16) ENGINE = MergeTree PARTITION BY a ORDER BY a")
    http.command("CREATE TABLE viewed (a UInt16) ENGINE = MergeTree ORDER BY a")
    http.command(
        "CREATE MATERIALIZED VIEW view ENGINE = MergeTree ORDER BY a AS SELECT throwIf(a > 10) AS a FROM viewed"
    )
    for table, rows, code in (
        ("refused", [(1,), (50,)], 469),
        ("parted", [(number,) for number in range(500)], 252),
        ("viewed", [(50,)], 395),
    ):
        if protocol == "http":
            with pytest.raises(DatabaseError, match=f"code: {code}"):
                http.insert(table, rows, column_names=["a"])
        else:
            with pytest.raises(ServerException) as raised:
                native.execute(f"INSERT INTO {table} VALUES", rows)
            assert raised.value.code == code
    assert http.query("SELECT (SELECT count() FROM refused), (SELECT count() FROM parted)").result_rows == [(0, 0)]


def test_deduplication_token(http) -> None:
    """Observed: the token works on MergeTree with a window, though the summary still counts the dropped rows."""
    http.command(
        "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )
    for token, rows in (("one", 3), ("one", 3), ("two", 3), ("one", 5)):
        summary = http.insert(
            "t", [[row] for row in range(rows)], column_names=["a"], settings={"insert_deduplication_token": token}
        )
        assert summary.written_rows == rows
    assert http.query("SELECT count() FROM t").result_rows == [(6,)]


def test_no_deduplication_without_a_window(http) -> None:
    http.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    for _ in range(2):
        http.insert("t", [[1]], column_names=["a"], settings={"insert_deduplication_token": "one"})
    assert http.query("SELECT count() FROM t").result_rows == [(2,)]


def test_an_interrupted_body_inserts_nothing(clickhouse_server, http, database) -> None:
    http.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    login = base64.b64encode(f"{clickhouse_server.user}:{clickhouse_server.password}".encode()).decode()
    head = (
        f"POST /?query=INSERT%20INTO%20{database}.t%20FORMAT%20CSV HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Basic {login}\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection((clickhouse_server.host, clickhouse_server.http_port)) as connection:
        connection.sendall(head.encode() + b"1\n2\n")
    time.sleep(0.2)
    assert http.query("SELECT count() FROM t").result_rows == [(0,)]
