"""What keeps `parity` from comparing: each time one sentence that says what to do."""

from __future__ import annotations

import os

import psycopg2
import pytest

from devstack.settings import POSTGRES_USER
from event_sinker.errors import SinkerError
from event_sinker.main import main
from event_sinker.parity.postgres import connect as connect_postgres
from event_sinker.parity.settings import PostgresSettings
from event_sinker.writer import connect
from tests.event_sinker.dual_write import NOON, PREFIX, DualWrite
from tests.fault.sinker_process import free_port

pytestmark = pytest.mark.integration


def test_the_session_cannot_write(writes: DualWrite) -> None:
    connection = connect_postgres(PostgresSettings.load())
    try:
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), connection, connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {writes.schema}.profile_log")
    finally:
        connection.close()


def test_missing_tables_say_what_to_do(writes: DualWrite) -> None:
    with pytest.raises(SinkerError, match=r"has no table profile_logs .*--table"):
        writes.compare(table="profile_logs")
    with pytest.raises(SinkerError, match=r"lacks platform_post_id.*--table"):
        writes.compare(event_type="post_log", table=f"{writes.schema}.profile_log")
    with connect(writes.settings) as client:
        client.command(f"DROP TABLE {writes.settings.clickhouse_database}.profile_log_events")
    with pytest.raises(SinkerError, match="init-schema"):
        writes.compare()


def test_a_missing_right_says_what_to_grant(writes: DualWrite, postgres_service) -> None:
    writes.execute(f"REVOKE ALL ON {writes.schema}.profile_log FROM {POSTGRES_USER}")
    with pytest.raises(SinkerError, match="grant stir SELECT on"):
        writes.compare()


def test_a_query_that_takes_too_long_says_so(writes: DualWrite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "STATEMENT_TIMEOUT_SECONDS", "1")
    with writes.connection, writes.connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {writes.schema}.profile_log IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SinkerError, match=r"longer than 1 s.*STATEMENT_TIMEOUT_SECONDS"):
            writes.compare()


def test_missing_settings_are_named(writes: DualWrite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PREFIX + "HOST")
    monkeypatch.setenv(PREFIX + "SSLMODE", "sometimes")
    with pytest.raises(SinkerError, match=f"{PREFIX}HOST: .*; {PREFIX}SSLMODE: "):
        writes.compare()


def test_an_event_type_without_a_log_is_refused(writes: DualWrite) -> None:
    with pytest.raises(SinkerError, match=r"scrape_request_log has no log table.*profile_log, post_log, post_activity"):
        writes.compare(event_type="scrape_request_log")


def test_nothing_to_compare_is_not_equal(writes: DualWrite) -> None:
    writes.both(NOON)
    with pytest.raises(SinkerError, match="nothing to compare"):
        writes.compare("--since", "2025-03-03", "--until", "2025-03-04")
    with pytest.raises(SinkerError, match="no day from 2026-03-05"):
        writes.compare("--since", "2026-03-05", "--until", "2026-03-05")


def test_no_password_is_ever_printed(writes: DualWrite, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    writes.both(NOON)
    password = PostgresSettings.load().password.get_secret_value()
    printed = [repr(PostgresSettings.load())]
    assert writes.compare() == writes.compare("--json") == 0
    for variable, value in {
        "PASSWORD": "wrong secret",
        "PORT": str(free_port()),
        "STATEMENT_TIMEOUT_SECONDS": "soon",
    }.items():
        monkeypatch.setenv(PREFIX + variable, value)
        with pytest.raises(SinkerError) as raised:
            writes.compare()
        printed.append(str(raised.value))
    assert "127.0.0.1" in printed[1]
    assert "PASSWORD" in printed[1]
    output = capsys.readouterr()
    for text in (*printed, output.out, output.err):
        assert password not in text
        assert "wrong secret" not in text
        assert writes.settings.clickhouse_password.get_secret_value() not in text


def test_an_unreachable_clickhouse(writes: DualWrite) -> None:
    writes.settings = writes.settings.model_copy(update={"clickhouse_http_port": free_port()})
    with pytest.raises(SinkerError, match=r"ClickHouse at 127.0.0.1:\d+: "):
        writes.compare()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["order_log", "--since", "2026-03-01"], 3, "no log table in PostgreSQL"),
        (["profile_log", "--since", "2026-03-01"], 3, "SINKER_PARITY_POSTGRES_HOST"),
        (["profile_log", "--since", "yesterday"], 2, "expected YYYY-MM-DD"),
    ],
)
def test_the_command_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, text: str
) -> None:
    for name in [name for name in os.environ if name.startswith("SINKER_")]:
        monkeypatch.delenv(name)
    try:
        found = main(["parity", *arguments])
    except SystemExit as ended:
        found = ended.code
    assert found == code
    assert text in capsys.readouterr().err
