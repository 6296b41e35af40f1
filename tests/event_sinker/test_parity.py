"""`parity` against a real PostgreSQL and a real ClickHouse."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from devstack.settings import HOST, POSTGRES_USER, SERVING_DATABASE
from event_sinker import schema
from event_sinker.errors import SinkerError
from event_sinker.events import EVENT_TYPES
from event_sinker.main import main
from event_sinker.parity import sample as parity_sample
from event_sinker.parity.command import EXIT_DIFFERENT
from event_sinker.parity.facts import LOG_TABLES
from event_sinker.parity.postgres import connect as connect_postgres
from event_sinker.parity.settings import PostgresSettings
from event_sinker.settings import Settings
from event_sinker.writer import connect
from tests.event_sinker.dual_write import DualWrite
from tests.fault.sinker_process import free_port

pytestmark = pytest.mark.integration

NOON = "2026-03-03 12:00:00.25"
PREFIX = "SINKER_PARITY_POSTGRES_"


@pytest.fixture
def writes(postgres_service, clickhouse_service, monkeypatch: pytest.MonkeyPatch) -> Iterator[DualWrite]:
    name = f"parity_{uuid.uuid4().hex[:8]}"
    endpoint = clickhouse_service.endpoint
    settings = Settings(
        clickhouse_host=endpoint.host,
        clickhouse_http_port=endpoint.http_port,
        clickhouse_user=endpoint.user,
        clickhouse_password=endpoint.password,
        clickhouse_database=name,
    )
    for variable, value in {
        "HOST": HOST,
        "PORT": str(postgres_service.ports["postgres"]),
        "DATABASE": SERVING_DATABASE,
        "USER": POSTGRES_USER,
        "PASSWORD": postgres_service.secrets.postgres_password,
    }.items():
        monkeypatch.setenv(PREFIX + variable, value)
    monkeypatch.setenv("COLUMNS", "250")
    connection = postgres_service.connection()
    world = DualWrite(settings, connection, name)
    world.create_tables()
    with connect(settings) as client:
        schema.apply(client, [EVENT_TYPES[event_type] for event_type in LOG_TABLES], name)
        yield world
        client.command(f"DROP DATABASE {name}")
    world.execute(f"DROP SCHEMA {name} CASCADE")
    connection.close()


@pytest.fixture
def compare(writes: DualWrite, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Runs the comparison and returns its JSON; the exit code agrees with it."""

    def run(*arguments: str, **options: str) -> dict[str, Any]:
        capsys.readouterr()
        code = writes.compare("--json", *arguments, **options)
        report = json.loads(capsys.readouterr().out)
        assert code == (0 if report["equal"] else EXIT_DIFFERENT)
        return report

    return run


def verdicts(report: dict[str, Any]) -> list[str]:
    return [day["verdict"] for day in report["days"]]


def kinds(report: dict[str, Any]) -> list[str]:
    return [difference["kind"] for difference in report["sample"]["differences"]]


# --- what is equal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", LOG_TABLES)
def test_equal_data(writes: DualWrite, compare, event_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity_sample, "_ENTITIES_AT_ONCE", 2)  # so that a small sample takes several steps
    entity = LOG_TABLES[event_type].entity[-1]
    for day in ("2026-03-02", "2026-03-04"):
        for number in range(5):
            for platform in ("INSTAGRAM", "YOUTUBE"):
                writes.both(f"{day} 08:00:0{number}.75", event_type, platform=platform, **{entity: f"it's {number}"})
    report = compare(event_type=event_type)
    assert verdicts(report) == ["equal"] * 3
    first = report["days"][0]
    assert (first["postgres_rows"], first["clickhouse_rows"], first["difference"]) == (10, 10, 0)
    assert first["platforms"]["YOUTUBE"]["postgres_entities"] == 5
    assert report["days"][1]["postgres_rows"] == 0
    assert report["sample"] | {"differences": []} == report["sample"]
    assert (report["sample"]["entities"], report["sample"]["matched"]) == (10, 20)


def test_an_unknown_owner_and_an_absent_document_are_equal_on_both_sides(writes: DualWrite, compare) -> None:
    writes.both(NOON, profile_id=None, source=None, metrics=None)
    writes.both(NOON, profile_id="", dimensions={})
    report = compare()
    assert (report["equal"], report["sample"]["matched"], report["days"][1]["postgres_entities"]) == (True, 2, 1)


def test_duplicate_keys_keep_the_last_value(writes: DualWrite, compare) -> None:
    writes.log(NOON, metrics='[{"key": "followers", "value": 1}, {"key": "followers", "value": 2}]')
    writes.publish("2026-03-03 12:00:01", metrics={"followers": 2})
    assert compare()["equal"]


def test_equal_facts_of_one_profile_are_matched_one_to_one(writes: DualWrite, compare) -> None:
    for second in (0, 1, 1, 50):
        writes.both(f"2026-03-03 12:00:{second:02}")
    report = compare()
    assert (report["equal"], report["sample"]["matched"]) == (True, 4)


@pytest.mark.parametrize("event_type", ["profile_log", "post_activity_log"])  # jsonb, and text
def test_big_integers_are_compared_to_the_last_digit(writes: DualWrite, compare, event_type: str) -> None:
    writes.both(NOON, event_type, metrics={"hash": 18446744073709551615, "id": 9007199254740993})
    assert compare(event_type=event_type)["equal"]
    writes.log("2026-03-03 13:00:00", event_type, metrics={"hash": 18446744073709551615, "id": 9007199254740993})
    writes.publish("2026-03-03 13:00:01", event_type, metrics={"hash": 18446744073709551614, "id": 9007199254740993})
    report = compare(event_type=event_type)
    assert [one["keys"] for one in report["sample"]["differences"]] == [["metrics.hash"]]


def test_an_event_that_was_delivered_twice_counts_once(writes: DualWrite, compare) -> None:
    writes.log(NOON)
    for _ in range(2):
        writes.publish("2026-03-03 12:00:01", event_id="the same")
        writes.store()
    with connect(writes.settings) as client:
        table = f"{writes.settings.clickhouse_database}.profile_log_events"
        assert client.query(f"SELECT count() FROM {table}").result_rows == [(2,)]
    assert compare()["equal"]


# --- what differs -----------------------------------------------------------------------------------------------------


def test_a_lost_event(writes: DualWrite, compare) -> None:
    writes.both("2026-03-02 09:00:00")
    writes.both(NOON, platform="YOUTUBE")
    writes.log("2026-03-03 15:00:00")
    report = compare()
    assert verdicts(report) == ["equal", "missing in ClickHouse", "equal"]
    day = report["days"][1]
    assert (day["difference"], day["percent"], day["missing_in_clickhouse"]) == (-1, -50, 1)
    assert day["platforms"]["YOUTUBE"]["verdict"] == "equal"
    (difference,) = report["sample"]["differences"]
    assert difference["kind"] == "missing in ClickHouse"
    assert difference["entity"] == {"platform": "INSTAGRAM", "profile_id": "1"}
    assert difference["scraped_at"] == "2026-03-03 15:00:00"
    assert difference["postgres_id"] == "3"


def test_an_entity_that_is_missing_wholly(writes: DualWrite, compare) -> None:
    writes.both(NOON)
    writes.log(NOON, profile_id="lost")
    writes.publish("2026-03-03 12:00:00", profile_id="invented \0")  # PostgreSQL could not even be asked for it
    report = compare()
    assert report["sample"]["entities"] == 3
    found = {one["entity"]["profile_id"]: one["kind"] for one in report["sample"]["differences"]}
    assert found == {"lost": "missing in ClickHouse", "invented \0": "only in ClickHouse"}
    assert report["days"][1]["difference"] == 0  # the counts alone would not have told


def test_a_doubled_event(writes: DualWrite, compare) -> None:
    writes.both(NOON)
    writes.publish("2026-03-03 12:00:09", event_id="again")
    report = compare()
    assert verdicts(report)[1] == "only in ClickHouse"
    (difference,) = report["sample"]["differences"]
    assert (difference["kind"], difference["event_id"]) == ("only in ClickHouse", "again")
    assert difference["repeats_a_matched_event"] is True


def test_changed_values_are_named_by_their_keys_and_never_shown(writes: DualWrite, compare, capsys) -> None:
    writes.log(NOON, metrics={"followers": 777001, "posts": 3}, dimensions={"bio": "private words", "city": None})
    writes.publish("2026-03-03 12:00:01", metrics={"followers": 777002, "posts": 3}, source="other provider")
    report = compare()
    (difference,) = report["sample"]["differences"]
    assert difference["kind"] == "differing content"
    assert difference["keys"] == ["dimensions.city", "metrics.followers", "source"]
    assert verdicts(report) == ["equal"] * 3
    assert writes.compare() == EXIT_DIFFERENT
    shown = capsys.readouterr().out
    assert "dimensions.city, metrics.followers, source" in shown
    for text in (shown, json.dumps(report)):
        assert not any(value in text for value in ("77700", "private words", "other provider"))


def test_an_unreadable_document_is_named(writes: DualWrite, compare) -> None:
    writes.log(NOON, "post_activity_log", metrics="{'likes': 1}")
    writes.publish("2026-03-03 12:00:01", "post_activity_log")
    (difference,) = compare(event_type="post_activity_log")["sample"]["differences"]
    assert difference["keys"] == ["metrics (not JSON)", "metrics.likes"]


def test_a_post_under_another_owner(writes: DualWrite, compare) -> None:
    writes.log(NOON, "post_log", profile_id="1")
    writes.publish("2026-03-03 12:00:01", "post_log", profile_id="TODO")
    (difference,) = compare(event_type="post_log")["sample"]["differences"]
    assert difference["keys"] == ["profile_id"]


# --- midnight ---------------------------------------------------------------------------------------------------------


def test_a_shift_over_midnight_is_no_loss(writes: DualWrite, compare) -> None:
    writes.both("2026-03-02 12:00:00")
    writes.both("2026-03-02 23:59:58.5", profile_id="shifted", delay=4)
    writes.both("2026-03-03 00:00:00.5", profile_id="next", delay=1)
    report = compare()
    assert report["equal"]
    assert verdicts(report) == ["shifted over midnight", "shifted over midnight", "equal"]
    assert [(day["difference"], day["shifted_in"], day["shifted_out"]) for day in report["days"][:2]] == [
        (-1, 0, 1),
        (1, 1, 0),
    ]


def test_facts_at_the_edges_belong_to_the_day_of_their_scrape(writes: DualWrite, compare) -> None:
    writes.both("2026-03-01 23:59:59", profile_id="before")
    writes.both("2026-03-04 23:59:59", profile_id="last")
    writes.both("2026-03-05 00:00:01", profile_id="after")
    for lost_on_another_day in ("2026-03-01 23:30:00", "2026-03-05 00:30:00"):
        writes.log(lost_on_another_day, profile_id="last")
    report = compare()
    assert report["equal"]
    assert verdicts(report) == ["shifted over midnight", "equal", "shifted over midnight"]


def test_a_loss_next_to_midnight_is_a_loss(writes: DualWrite, compare) -> None:
    """Also beside shifted facts, and beside facts of the next day that could hide it in the counts."""
    writes.both("2026-03-02 23:59:58", profile_id="shifted", delay=4)
    writes.log("2026-03-02 23:59:59", profile_id="lost")
    writes.both("2026-03-03 00:00:05", profile_id="next")
    writes.both("2026-03-04 12:00:00", profile_id="quiet")
    writes.log("2026-03-04 23:59:59", profile_id="lost at the end")
    writes.both("2026-03-05 00:00:01", profile_id="after the end")
    report = compare()
    assert verdicts(report) == ["missing in ClickHouse", "shifted over midnight", "missing in ClickHouse"]
    assert [day["missing_in_clickhouse"] for day in report["days"]] == [1, 0, 1]
    lost = {one["entity"]["profile_id"] for one in report["sample"]["differences"]}
    assert lost == {"lost", "lost at the end"}


def test_a_second_delivery_after_midnight_does_not_hide_a_loss_before_it(writes: DualWrite, compare) -> None:
    writes.log("2026-03-02 23:59:58")
    writes.log("2026-03-03 00:00:01")
    for _ in range(2):
        writes.publish("2026-03-03 00:00:02", event_id="the same")
        writes.store()
    assert verdicts(compare()) == ["missing in ClickHouse", "equal", "equal"]


def test_beyond_the_tolerance_an_event_is_late(writes: DualWrite, compare) -> None:
    writes.both("2026-03-02 23:59:59", delay=400)
    assert kinds(compare()) == ["missing in ClickHouse", "only in ClickHouse"]
    assert verdicts(compare("--tolerance-seconds", "500"))[0] == "shifted over midnight"


def test_without_an_end_whole_days_are_compared(writes: DualWrite, compare) -> None:
    today = datetime.now(UTC).date()
    yesterday = str(today - timedelta(1))
    writes.both(f"{yesterday} 12:00:00")
    report = compare("--since", yesterday)
    assert report["until"] in {str(today), str(datetime.now(UTC).date())}
    assert report["days"][0]["postgres_rows"] == 1
    assert compare("--since", yesterday, "--until", str(today + timedelta(2)))["provisional"] is True


# --- the sample -------------------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_sample_from_both_sides(writes: DualWrite, compare) -> None:
    for number in range(20):
        writes.log(NOON, profile_id=f"logged {number}")
        writes.publish("2026-03-03 12:00:01", profile_id=f"published {number}")

    def drawn(*arguments: str) -> list[str]:
        sample = compare(*arguments)["sample"]
        assert sample["entities"] == 8
        return [one["entity"]["profile_id"] for one in sample["differences"]]

    first = drawn("--sample", "8", "--seed", "one")
    assert first == drawn("--sample", "8", "--seed", "one")
    assert {name.split()[0] for name in first} == {"logged", "published"}
    assert first != drawn("--sample", "8", "--seed", "two")


def test_no_more_differences_are_shown_than_asked_for(writes: DualWrite, compare, capsys) -> None:
    for number in range(5):
        writes.log(NOON, profile_id=f"[red]lost\033[1m {number}")
    sample = compare("--max-differences", "2")["sample"]
    assert (len(sample["differences"]), sample["kinds"]) == (2, {"missing in ClickHouse": 5})
    assert writes.compare("--max-differences", "2") == EXIT_DIFFERENT
    shown = capsys.readouterr().out
    assert shown.count("INSTAGRAM/[red]lost\N{REPLACEMENT CHARACTER}[1m") == 2
    assert "3 more differences" in shown
    assert "DIFFERENT: profile_log, 1 of 3 days; 5 sampled entities with 5 differences" in shown


# --- what keeps it from comparing -------------------------------------------------------------------------------------


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


def test_the_report_for_a_person(writes: DualWrite, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    writes.both(NOON)
    assert writes.compare() == 0
    shown = capsys.readouterr()
    assert "EQUAL: profile_log, 3 days with 1 row; 1 sampled entity with 1 fact" in shown.out
    assert "Provisional" not in shown.out
    assert shown.err == ""  # progress is for terminals
    monkeypatch.setenv("COLUMNS", "80")
    writes.publish("2026-03-03 14:00:00")
    assert writes.compare() == EXIT_DIFFERENT
    assert "…" not in capsys.readouterr().out.split("differences of 1 sampled entity")[1]  # ids are whole


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
