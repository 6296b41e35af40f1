from __future__ import annotations

import pytest

from devstack.clickhouse.errors import ClickHouseError
from devstack.clickhouse.statement import Kind, parse

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", Kind.SELECT),
        ("  -- a comment; with a semicolon\n select 1;", Kind.SELECT),
        ("/* dbt */ WITH a AS (SELECT 1) SELECT * FROM a", Kind.SELECT),
        ("(SELECT 1) UNION ALL (SELECT 2)", Kind.SELECT),
        ("SHOW TABLES", Kind.ANSWER),
        ("EXISTS TABLE t", Kind.ANSWER),
        ("EXPLAIN SELECT 1", Kind.ANSWER),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", Kind.COMMAND),
        ("INSERT INTO t SELECT 1", Kind.COMMAND),
        ("INSERT INTO t (a, b) WITH x AS (SELECT 1) SELECT * FROM x", Kind.COMMAND),
        ("INSERT INTO t (SELECT 1)", Kind.COMMAND),
        ("INSERT INTO FUNCTION s3(c, format = 'CSV') SELECT 1", Kind.COMMAND),
        ("INSERT INTO t VALUES (1)", Kind.INSERT),
        ("INSERT INTO values FORMAT CSV\n1", Kind.INSERT),
        ("insert into `db`.`format` (`select`, b) values", Kind.INSERT),
    ],
)
def test_kind_of_statement(sql: str, kind: Kind) -> None:
    assert parse(sql.encode()).kind is kind


@pytest.mark.parametrize(
    ("sql", "text", "name", "data"),
    [
        (b"INSERT INTO t (a) FORMAT JSONEachRow\n{}", "INSERT INTO t (a) ", "JSONEachRow", b"{}"),
        (b"INSERT INTO t FORMAT Native \r\n\x00\xff\n", "INSERT INTO t ", "Native", b"\x00\xff\n"),
        (b"INSERT INTO d.values SETTINGS a = 1 FORMAT TSV\n\n", "INSERT INTO d.values ", "TSV", b"\n"),
        ("INSERT INTO `größe` VALUES ('ü')".encode(), "INSERT INTO `größe` ", "Values", " ('ü')".encode()),
        (b"INSERT INTO t /* format X */ VALUES (1)", "INSERT INTO t /* format X */ ", "Values", b" (1)"),
    ],
)
def test_insert_is_cut_before_its_rows(sql: bytes, text: str, name: str, data: bytes) -> None:
    statement = parse(sql)
    assert (statement.text, statement.format, sql[statement.data_at :]) == (text, name, data)


@pytest.mark.parametrize(
    ("sql", "text", "name"),
    [
        ("SELECT 1 FORMAT JSON", "SELECT 1 ", "JSON"),
        ("SELECT 1 FORMAT JSON SETTINGS max_threads = 1;", "SELECT 1  SETTINGS max_threads = 1", "JSON"),
        ("SELECT format('{}', a) FROM t", "SELECT format('{}', a) FROM t", None),
        ("SELECT ' FORMAT CSV'", "SELECT ' FORMAT CSV'", None),
        ("SELECT a AS format FROM t", "SELECT a AS format FROM t", None),
    ],
)
def test_format_clause_is_taken_off(sql: str, text: str, name: str | None) -> None:
    statement = parse(sql.encode())
    assert (statement.text, statement.format) == (text, name)


@pytest.mark.parametrize(
    "sql", [b"SELECT 1; DROP TABLE t", b"INSERT INTO t; DROP TABLE t", b"DROP TABLE a;\n;DROP TABLE b"]
)
def test_a_second_statement_is_refused_as_by_a_server(sql: bytes) -> None:
    with pytest.raises(ClickHouseError, match="Multi-statements") as raised:
        parse(sql)
    assert raised.value.code == 62


@pytest.mark.parametrize("engine", ["ENGINE = Kafka SETTINGS a = 1", "engine=Kafka('x')", "ENGINE `Kafka`"])
def test_kafka_engine_is_refused(engine: str) -> None:
    with pytest.raises(ClickHouseError, match="Kafka") as raised:
        parse(f"CREATE TABLE t (a Int8) {engine}".encode())
    assert raised.value.code == 56


def test_kafka_in_a_string_is_no_engine() -> None:
    assert parse(b"CREATE TABLE t (a Int8) ENGINE = Memory COMMENT 'not ENGINE = Kafka'").kind is Kind.COMMAND


def test_settings_of_an_insert_are_kept_apart() -> None:
    statement = parse(b"INSERT INTO t (a) SETTINGS async_insert = 0 VALUES (1)")
    assert (statement.text, statement.settings) == ("INSERT INTO t (a) ", "SETTINGS async_insert = 0 ")


def test_infile_is_refused_as_by_a_server() -> None:
    with pytest.raises(ClickHouseError, match="infile") as raised:
        parse(b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV")
    assert raised.value.code == 78
