"""What one definition turns into: DDL, topology, settings; and the small parts around it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime

import pika
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError
from pydantic import ValidationError

from event_sinker import schema
from event_sinker.batch import Message
from event_sinker.dead_letters import DeadLetter, properties_of
from event_sinker.duplicates import RecentIds
from event_sinker.errors import ErrorClass, classify, explain
from event_sinker.events import EVENT_TYPES
from event_sinker.main import main
from event_sinker.metrics import REGISTRY
from event_sinker.parse import Poison, Reason
from event_sinker.settings import Settings
from event_sinker.topology import DELIVERY_LIMIT, connection_parameters, queue_arguments
from tests.fault.sinker_process import REPOSITORY

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SINKER_")]:
        monkeypatch.delenv(name)


def test_scrape_requests_are_partitioned_by_month_and_sorted_by_flow() -> None:
    ddl = schema.create_table(EVENT_TYPES["scrape_request_log"], "_e")
    assert "PARTITION BY toYYYYMM(event_timestamp)\nORDER BY (platform, flow, event_timestamp)" in ddl


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=str)
def test_every_table_is_idempotent_and_survives_a_power_cut(event) -> None:
    ddl = schema.create_table(event, "_e")
    assert "non_replicated_deduplication_window = 10000" in ddl
    assert "fsync_after_insert = 1" in ddl
    assert set(event.order_by) | {event.id_column, event.time_column} <= set(event.column_names)
    assert not any(column.type.startswith("Nullable") for column in event.columns if column.name in event.order_by)


def test_cluster_ddl_is_replicated() -> None:
    ddl = schema.create_table(EVENT_TYPES["post_log"], "_e", cluster="main")
    assert "ON CLUSTER `main`" in ddl
    assert "ENGINE = ReplicatedMergeTree" in ddl
    assert "replicated_deduplication_window = 10000" in ddl.replace("non_replicated", "")


def test_queue_arguments() -> None:
    assert queue_arguments(EVENT_TYPES["post_log"]) == {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "dead.dx",
        "x-dead-letter-routing-key": "post_log_events_q",
        "x-delivery-limit": DELIVERY_LIMIT,
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DatabaseError("Code: 252", code=252), ErrorClass.RETRY),
        (DatabaseError("Code: 241", code=241), ErrorClass.RETRY),
        (DatabaseError("Code: 242", code=242), ErrorClass.RETRY),
        (DatabaseError("Code: 319", code=319), ErrorClass.RETRY),
        (DatabaseError("Code: 254", code=254), ErrorClass.RETRY),
        (OperationalError("connection refused"), ErrorClass.RETRY),
        (ConnectionResetError(), ErrorClass.RETRY),
        (DatabaseError("Code: 53", code=53), ErrorClass.DATA),
        (DatabaseError("Code: 117", code=117), ErrorClass.DATA),
        (DatabaseError("Code: 469", code=469), ErrorClass.DATA),
        (DataError("cannot serialise"), ErrorClass.DATA),
        (DatabaseError("Code: 60", code=60), ErrorClass.FATAL),
        (DatabaseError("Code: 516", code=516), ErrorClass.FATAL),
        (DatabaseError("Code: 9999", code=9999), ErrorClass.UNKNOWN),
        (RuntimeError("?"), ErrorClass.UNKNOWN),
    ],
)
def test_error_classes(error: Exception, expected: ErrorClass) -> None:
    assert classify(error) is expected


def test_a_missing_table_says_what_to_do() -> None:
    assert "init-schema" in explain(DatabaseError("Unknown table", code=60))


def test_recent_ids_remember_at_least_the_last_ones() -> None:
    recent = RecentIds(100)
    for start in range(0, 1000, 40):
        recent.add(str(number) for number in range(start, start + 40))
    last = {str(number) for number in range(900, 1000)}
    assert recent.among(last | {"0"}) == last
    assert len(recent) <= 300


def test_events_without_an_id_are_never_the_same() -> None:
    recent = RecentIds(10)
    recent.add(["", "a"])
    assert recent.among({"", "a"}) == {"a"}


def letter(**properties: object) -> DeadLetter:
    message = Message(b"body", 7, True, pika.BasicProperties(**properties), 0.0, "beat.dx", "profile_log_events")
    return DeadLetter(message, Poison(Reason.BAD_TIME, "event_timestamp: expected ...", "event_timestamp"))


def test_a_dead_letter_says_why_when_and_whence_and_keeps_its_headers() -> None:
    properties = properties_of(
        letter(headers={"x-trace": "abc", "x-delivery-count": 3}, message_id="m1", expiration="5", user_id="beat"),
        EVENT_TYPES["profile_log"],
        datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
    assert properties.headers == {
        "x-trace": "abc",
        "x-stir-dead-reason": "bad_time",
        "x-stir-dead-detail": "event_timestamp: expected ...",
        "x-stir-dead-column": "event_timestamp",
        "x-stir-dead-at": "2026-03-01T12:00:00.000+00:00",
        "x-stir-event-type": "profile_log",
        "x-stir-queue": "profile_log_events_q",
        "x-stir-exchange": "beat.dx",
        "x-stir-routing-key": "profile_log_events",
        "x-stir-redelivered": True,
        "x-stir-original-expiration": "5",
        "x-stir-original-user_id": "beat",
    }
    assert (properties.message_id, properties.delivery_mode, properties.expiration) == ("m1", 2, None)


def test_headers_too_large_to_send_again_are_left_behind() -> None:
    properties = properties_of(letter(headers={"x": "y" * 120_000}), EVENT_TYPES["profile_log"], datetime.now(UTC))
    assert "x" not in properties.headers
    assert properties.headers["x-stir-dead-reason"] == "bad_time"


def test_settings_name_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match=r"unknown event type.*known: profile_log"):
        Settings(event_types="profile_log,nonsense")
    with pytest.raises(ValidationError, match="at least twice batch_rows"):
        Settings(prefetch=1500, batch_rows=1000)
    with pytest.raises(ValidationError, match="at least twice batch_max_rows"):
        Settings(prefetch=5000, batch_max_rows=3000)
    with pytest.raises(ValidationError, match=r"batch_max_rows \(500\) must be at least batch_rows \(1000\)"):
        Settings(batch_max_rows=500)
    with pytest.raises(ValidationError, match=r"batch_max_bytes .* must be at least batch_bytes"):
        Settings(batch_bytes=2000, batch_max_bytes=1000)


def test_a_batch_grows_to_half_of_the_prefetch() -> None:
    assert Settings(prefetch=5000).max_rows() == 2500
    assert Settings(prefetch=5000, batch_max_rows=1500).max_rows() == 1500


def test_time_trigger_by_event_type() -> None:
    settings = Settings(batch_seconds_by_type={"post_log": 7})
    assert settings.seconds(EVENT_TYPES["post_log"]) == 7
    assert settings.seconds(EVENT_TYPES["profile_log"]) == 60
    assert Settings().seconds(EVENT_TYPES["post_log"]) == 300
    assert Settings(batch_seconds=2).seconds(EVENT_TYPES["post_log"]) == 2


def test_check_config_masks_passwords(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SINKER_CLICKHOUSE_PASSWORD", "open-sesame")
    monkeypatch.setenv("SINKER_EVENT_TYPES", "post_log, profile_log")
    assert main(["check-config"]) == 0
    output = capsys.readouterr().out
    assert "open-sesame" not in output
    assert "SINKER_CLICKHOUSE_PASSWORD=**********" in output
    assert "SINKER_EVENT_TYPES=post_log,profile_log\n" in output


def test_a_wrong_setting_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINKER_RABBITMQ_PORT", "many")
    assert main(["check-config"]) == 2
    assert "SINKER_RABBITMQ_PORT: Input should be a valid integer" in capsys.readouterr().err


def test_passwords_may_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "SINKER_RABBITMQ_PASSWORD").write_text("from-a-file\n")
    monkeypatch.setenv("SINKER_SECRETS_DIR", str(tmp_path))
    assert Settings.load().rabbitmq_password.get_secret_value() == "from-a-file"


def test_inserting_lists_imports_neither_pandas_nor_numpy() -> None:
    """Both would cost the first insert of a process seconds, while messages pour in."""
    program = (
        "import sys; from event_sinker import writer; from clickhouse_connect.driver.insert import InsertContext\n"
        "from clickhouse_connect.datatypes.registry import get_from_name\n"
        "InsertContext('t', ['a'], [get_from_name('String')], data=[['x']], column_oriented=True)\n"
        "sys.exit(bool({'pandas', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY).returncode == 0


def test_the_readme_names_every_event_type_and_metric() -> None:
    readme = (REPOSITORY / "event_sinker" / "README.md").read_text()
    for event in EVENT_TYPES.values():
        row = (
            f"| `{event.name}` | `{event.exchange}`, `{event.routing_key}` | `{event.queue}` | `{event.table}` "
            f"| {event.batch_seconds:.0f} s |"
        )
        assert row in readme
    for metric in REGISTRY.collect():
        suffix = "_total" if metric.type == "counter" else ""
        assert f"`{metric.name}{suffix}`" in readme


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=str)
def test_only_launches_may_lack_an_id(event) -> None:
    """Where an event can be without an id, exactly once cannot be promised, and the documentation says so."""
    assert event.always_has_id is (event.name != "launch_refer")


def test_tls_to_rabbitmq_checks_the_certificate() -> None:
    assert connection_parameters(Settings()).ssl_options is None
    options = connection_parameters(Settings(rabbitmq_secure=True, rabbitmq_host="broker.example")).ssl_options
    assert options.server_hostname == "broker.example"
    assert options.context.verify_mode is ssl.CERT_REQUIRED
    assert options.context.check_hostname


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SINKER_BATCH_SECONDS_BY_TYPE", "post_log:120", "batch_seconds_by_type"),
        ("SINKER_SECRETS_DIR", "/nonexistent", "SINKER_SECRETS_DIR names /nonexistent"),
        ("SINKER_CONSUMERS_BY_TYPE", '{"nonsense": 2}', "unknown event type"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["check-config"]) == 2
    assert said in capsys.readouterr().err
