"""The HTTP interface, by curl and by plain requests: what a client that knows ClickHouse relies on."""

from __future__ import annotations

import gzip
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import lz4.frame
import pytest
from backports import zstd
from clickhouse_connect.driver.exceptions import DatabaseError

pytestmark = pytest.mark.integration


@pytest.fixture
def post(clickhouse_server, database):
    """Function (sql, **URL parameters) -> response, in the test's database."""
    with httpx.Client(
        base_url=clickhouse_server.url,
        headers={"X-ClickHouse-User": clickhouse_server.user, "X-ClickHouse-Key": clickhouse_server.password},
    ) as client:

        def send(sql: str | bytes = b"", headers: dict | None = None, method: str = "POST", **parameters):
            parameters = {"database": database, **parameters}
            return client.request(method, "/", params=parameters, content=sql, headers=headers)

        yield send


def test_ping_needs_no_login(clickhouse_server) -> None:
    response = httpx.get(clickhouse_server.url + "ping")
    assert (response.status_code, response.text) == (200, "Ok.\n")


def test_curl_with_basic_authentication(clickhouse_server) -> None:
    configuration = f'user = "{clickhouse_server.user}:{clickhouse_server.password}"'  # not on the command line
    result = subprocess.run(
        ["curl", "-sS", "--config", "-", clickhouse_server.url, "--data-binary", "SELECT 1 + 1"],
        input=configuration,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "2\n"


@pytest.mark.parametrize("how", ["basic", "headers", "parameters", "none"])
def test_wrong_password_is_refused_with_code_516(clickhouse_server, how: str) -> None:
    arguments = {
        "basic": {"auth": (clickhouse_server.user, "wrong")},
        "headers": {"headers": {"X-ClickHouse-User": clickhouse_server.user, "X-ClickHouse-Key": "wrong"}},
        "parameters": {"params": {"user": clickhouse_server.user, "password": "wrong"}},
        "none": {},
    }[how]
    response = httpx.post(clickhouse_server.url, content="SELECT 1", **arguments)
    assert response.status_code == 403
    assert response.headers["X-ClickHouse-Exception-Code"] == "516"
    assert "Authentication failed" in response.text


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT nothing_known(1)", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT throwIf(1, 'on purpose')", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("CREATE TABLE k (a Int8) ENGINE = Kafka", 404, 56, "UNKNOWN_STORAGE"),
        ("INSERT INTO nowhere FORMAT CSV\n1", 404, 60, "UNKNOWN_TABLE"),
    ],
)
def test_errors_carry_clickhouse_code_name_and_status(post, sql: str, status: int, code: int, name: str) -> None:
    response = post(sql)
    assert response.status_code == status
    assert response.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert response.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name}) (version " in response.text


def test_a_connection_serves_on_after_an_error_with_a_large_body(post) -> None:
    post("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    response = post(b"1\n" * 500_000 + b"wrong\n", query="INSERT INTO t FORMAT TSV")
    assert response.headers["X-ClickHouse-Exception-Code"] == "27"
    assert post("SELECT 1").text == "1\n"


def test_formats_and_their_headers(post) -> None:
    response = post("SELECT 1 AS a FORMAT JSONEachRow")
    assert (response.json(), response.headers["X-ClickHouse-Format"]) == ({"a": 1}, "JSONEachRow")
    response = post("SELECT 1 AS a", default_format="CSVWithNames")
    assert (response.text, response.headers["X-ClickHouse-Format"]) == ('"a"\n1\n', "CSVWithNames")
    assert "X-ClickHouse-Format" not in post("CREATE TABLE t (a Int8) ENGINE = Memory").headers


def test_get_reads_and_never_writes(post) -> None:
    assert post(method="GET", query="SELECT 'read'").text == "read\n"
    response = post(method="GET", query="CREATE TABLE t (a Int8) ENGINE = Memory")
    assert response.headers["X-ClickHouse-Exception-Code"] == "164"
    assert post("EXISTS TABLE t").text == "0\n"


def test_summary_counts_written_and_read_rows(post) -> None:
    post("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    summary = json.loads(post("1\n2\n3\n", query="INSERT INTO t FORMAT CSV").headers["X-ClickHouse-Summary"])
    assert (summary["written_rows"], summary["written_bytes"]) == ("3", "24")
    summary = json.loads(post("SELECT * FROM t").headers["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"]) == ("3", "3")


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstd.compress)],
)
def test_compressed_bodies(post, encoding: str, compress) -> None:
    post("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    body = compress(b'{"a": 7}\n' * 1000)
    response = post(body, {"Content-Encoding": encoding}, query="INSERT INTO t FORMAT JSONEachRow")
    assert json.loads(response.headers["X-ClickHouse-Summary"])["written_rows"] == "1000"


def test_broken_and_unknown_compression_are_refused(post) -> None:
    sql = {"query": "SELECT 1"}
    assert post(b"no gzip", {"Content-Encoding": "gzip"}, **sql).headers["X-ClickHouse-Exception-Code"] == "354"
    assert post(b"?", {"Content-Encoding": "snail"}, **sql).headers["X-ClickHouse-Exception-Code"] == "48"
    assert post(compress="1", **sql).headers["X-ClickHouse-Exception-Code"] == "48"


def test_response_is_compressed_when_both_sides_ask(post) -> None:
    sql = "SELECT repeat('x', 100) FROM numbers(1000)"
    plain = post(sql, {"Accept-Encoding": "gzip"})
    packed = post(sql, {"Accept-Encoding": "gzip"}, enable_http_compression="1")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.text == plain.text
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 10


def test_url_parameters_are_settings_of_that_request_only(post) -> None:
    session = {"session_id": "settings-of-one-request"}
    read = "SELECT getSetting('max_block_size'), getSetting('max_execution_time')"
    before = post(read, **session).text
    assert post(read, max_block_size="1234", max_execution_time="7", **session).text == "1234\t7\n"
    assert post(read, **session).text == before


def test_settings_of_a_session_survive_a_request_with_others(post) -> None:
    session = {"session_id": "own-settings"}
    post("SET max_block_size = 4321", max_threads="1", max_block_size="99", **session)
    assert post("SELECT changed FROM system.settings WHERE name = 'max_threads'", **session).text == "0\n"
    assert post("SELECT getSetting('max_block_size')", max_block_size="1234", **session).text == "1234\n"
    assert post("SELECT getSetting('max_block_size')", **session).text == "4321\n"


def test_database_of_a_request_is_not_the_one_of_its_session(post, database) -> None:
    session = {"session_id": "databases"}
    read = "SELECT currentDatabase()"
    post("USE system", **session)
    assert post(read, **session).text == f"{database}\n"  # by the URL parameter
    assert post(read, **{**session, "database": ""}).text == "system\n"
    assert post(read, database="nowhere").headers["X-ClickHouse-Exception-Code"] == "81"


def test_unknown_setting_is_an_error(post) -> None:
    response = post("SELECT 1", no_such_setting="1")
    assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (404, "115")


def test_max_execution_time_ends_a_statement(post) -> None:
    response = post(
        "SELECT sum(sleepEachRow(0.01)) FROM numbers(1000) SETTINGS max_block_size = 10", max_execution_time="1"
    )
    assert response.headers["X-ClickHouse-Exception-Code"] == "159"


def test_session_keeps_temporary_tables_and_others_do_not_see_them(post) -> None:
    session = {"session_id": "temporary"}
    post("CREATE TEMPORARY TABLE kept AS SELECT 5 AS a", **session)
    assert post("SELECT a FROM kept", **session).text == "5\n"
    assert post("SELECT a FROM kept").headers["X-ClickHouse-Exception-Code"] == "60"
    assert post("SELECT a FROM kept", close_session="1", **session).text == "5\n"
    assert post("SELECT a FROM kept", **session).headers["X-ClickHouse-Exception-Code"] == "60"
    missing = post("SELECT 1", session_id="never made", session_check="1")
    assert missing.headers["X-ClickHouse-Exception-Code"] == "372"


def test_a_session_serves_one_request_at_a_time(post) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, "SELECT sleep(2)", session_id="busy")
        time.sleep(0.7)
        assert post("SELECT 1", session_id="busy").headers["X-ClickHouse-Exception-Code"] == "373"
        assert first.result().status_code == 200


def test_query_parameters(post) -> None:
    assert post("SELECT {a:UInt8} + 1", param_a="41").text == "42\n"
    assert post("SELECT {s:String}", param_s="it's \\t one").text == "it\\'s \\t one\n"
    assert post("SELECT {a:UInt8}").headers["X-ClickHouse-Exception-Code"] == "456"


def test_form_fields_stand_for_url_parameters(clickhouse_server) -> None:
    response = httpx.post(
        clickhouse_server.url,
        auth=(clickhouse_server.user, clickhouse_server.password),
        files={"query": (None, "SELECT {a:String}"), "param_a": (None, "from a form")},
    )
    assert response.text == "from a form\n"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("JSONEachRow", b'{"a":1,"b":"x"}\n{"a":2,"b":null}\n'),
        ("TSV", b"1\tx\n2\t\\N\n"),
        ("CSV", b'1,"x"\n2,\\N\n'),
        ("Values", b"(1,'x'),(2,NULL)"),
        ("RowBinary", b"\x01\0\0\0\0\0\0\0\0\x01x\x02\0\0\0\0\0\0\0\x01"),
    ],
)
@pytest.mark.parametrize("statement_in", ["url", "body"])
def test_inserts_in_every_format(post, name: str, body: bytes, statement_in: str) -> None:
    post("CREATE TABLE t (a UInt64, b Nullable(String)) ENGINE = MergeTree ORDER BY a")
    statement = f"INSERT INTO t (a, b) FORMAT {name}"
    response = post(body, query=statement) if statement_in == "url" else post(statement.encode() + b"\n" + body)
    assert response.status_code == 200, response.text
    assert post("SELECT * FROM t ORDER BY a").text == "1\tx\n2\t\\N\n"


def test_chunked_body(clickhouse_server, http, database) -> None:
    http.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    response = httpx.post(
        clickhouse_server.url,
        params={"query": f"INSERT INTO {database}.t FORMAT CSV"},
        auth=(clickhouse_server.user, clickhouse_server.password),
        content=(
            f"{number}\n".encode() for number in range(5000)
        ),  # a generator is sent with Transfer-Encoding: chunked
    )
    assert response.status_code == 200
    assert http.query("SELECT count(), sum(a) FROM t").result_rows == [(5000, 12497500)]


def test_clickhouse_connect_binds_parameters_on_the_server(http) -> None:
    rows = http.query(
        "SELECT {text:String}, {number:UInt64}, {day:Date}, {list:Array(String)}",
        parameters={"text": "it's \\ \t\n", "number": 2**64 - 1, "day": "2025-06-07", "list": ["a'b", "c"]},
    ).result_rows
    assert [str(value) for value in rows[0]] == ["it's \\ \t\n", str(2**64 - 1), "2025-06-07", "[\"a'b\", 'c']"]


def test_clickhouse_connect_reports_errors_with_their_code(http) -> None:
    with pytest.raises(DatabaseError, match=r"code: 60,.*UNKNOWN_TABLE"):
        http.query("SELECT * FROM nowhere")


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_clickhouse_connect_with_each_compression(clickhouse_server, open_http, database, compress) -> None:
    client = open_http(clickhouse_server, database=database, compress=compress)
    client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    # Wide rows make several blocks, each compressed on its own: the body holds several frames.
    rows = [[number, f"row {number} " + "x" * 400] for number in range(20_000)]
    assert client.insert("t", rows, column_names=["a", "b"]).written_rows == 20_000
    assert [list(row) for row in client.query("SELECT a, b FROM t ORDER BY a").result_rows] == rows


def test_clickhouse_connect_streams_and_commands(http) -> None:
    with http.query_row_block_stream("SELECT number FROM numbers(200000)") as stream:
        assert sum(len(block) for block in stream) == 200_000
    assert http.command("SELECT count() FROM numbers(5)") == 5
    assert http.query("SELECT 1 AS a WHERE 0").result_rows == []
    assert http.query("SELECT toUInt8(1) AS a LIMIT 0").column_names == ("a",)
