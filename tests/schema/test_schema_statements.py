"""DDL files are split where a statement ends, and errors can name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from schema.clickhouse_sources import source_databases
from schema.connections import clickhouse_address, serving_dsn
from schema.serving_tables import serving_statements
from schema.statements import SchemaError, read_statements

pytestmark = pytest.mark.unit


def test_semicolons_in_comments_and_quotes_end_nothing(tmp_path: Path) -> None:
    file = tmp_path / "ddl.sql"
    file.write_text(
        "-- one; two\ncreate table a (b text default ';');\n\n/* x; */\ndo $$ begin; end $$;\n-- the end;\n"
    )
    statements = read_statements(file)
    assert [(s.line, s.title) for s in statements] == [
        (2, "create table a (b text default ';')"),
        (5, "do $$ begin; end $$"),
    ]


def test_a_missing_semicolon_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "ddl.sql"
    file.write_text("create table a (b text);\n\n-- why\ncreate table c (d text)\n")
    with pytest.raises(SchemaError, match=r"ddl\.sql:4: the last statement does not end with a semicolon"):
        read_statements(file)


def test_secrets_of_the_originals_are_no_columns() -> None:
    text = "\n".join(s.text for statements in source_databases().values() for s in statements)
    assert "credentials" not in text
    assert "access_token " not in text


def test_every_statement_can_be_repeated() -> None:
    every = [s for statements in source_databases().values() for s in statements] + serving_statements()
    assert not [
        str(s) for s in every if "if not exists" not in s.text.lower() and "create or replace" not in s.text.lower()
    ]


def test_addresses_come_from_the_platforms_variables() -> None:
    with pytest.raises(SchemaError, match="DBT_CLICKHOUSE_HOST is not set"):
        clickhouse_address({})
    with pytest.raises(SchemaError, match="must be a port number, not 'http'"):
        clickhouse_address({"DBT_CLICKHOUSE_HOST": "h", "DBT_CLICKHOUSE_HTTP_PORT": "http"})
    plain = {"DBT_CLICKHOUSE_HOST": "h", "DBT_CLICKHOUSE_HTTP_PORT": "1"}
    assert not clickhouse_address(plain).secure
    assert not clickhouse_address(plain | {"DBT_CLICKHOUSE_SECURE": "False"}).secure
    assert clickhouse_address(plain | {"DBT_CLICKHOUSE_SECURE": "True"}).secure
    connection = '{"conn_type": "postgres", "host": "db", "login": "u", "password": "p@/", "schema": "serving"}'
    assert serving_dsn("production", {"AIRFLOW_CONN_PROD_PG": connection}) == "postgresql://u:p%40%2F@db:5432/serving"
    with pytest.raises(SchemaError, match="AIRFLOW_CONN_STAGE_PG must be an Airflow connection as JSON"):
        serving_dsn("staging", {"AIRFLOW_CONN_STAGE_PG": '{"login": "u"}'})


def test_a_password_is_never_in_the_text_of_an_address() -> None:
    address = clickhouse_address(
        {"DBT_CLICKHOUSE_HOST": "h", "DBT_CLICKHOUSE_HTTP_PORT": "1", "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": "geheim"}
    )
    assert "geheim" not in f"{address} {address!r}"
