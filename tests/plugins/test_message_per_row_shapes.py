"""Shapes, keys and variables of message sources, and queues that nobody has declared yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pika
import pytest
from stir.message_per_row import Column, MessageSource, run
from stir.platform_variables import PlatformVariable

QUEUE = "stir_test_reports_q"
PREFIX = PlatformVariable("test_job_prefix", "TEST_", "only in this test")


def source(file: Path, **changed: Any) -> MessageSource:
    declared: dict[str, Any] = {
        "name": "reports",
        "exchange": "",
        "routing_key": QUEUE,
        "candidates": file,
        "id_column": "id",
        "order": "id",
        "limit": 10,
        "cool_down": timedelta(days=1),
    }
    return MessageSource(**{**declared, **changed})


@pytest.mark.unit
def test_a_payload_holds_renamed_columns_nested_objects_and_constants() -> None:
    shape = {
        "expectedUrl": Column("reference_url"),
        "post": {
            "kind": Column("kind"),
            "tags": Column("tags"),
            "platform": "INSTAGRAM",
            "owner": {"id": Column("id")},
        },
        "version": 2,
        "comment": None,
    }
    row = {"id": 4, "reference_url": 'a "b"', "kind": "story", "tags": ["ä", None], "other": 1}
    body = source(Path("reports.sql"), payload=shape).body(row)
    post = {"kind": "story", "tags": ["ä", None], "platform": "INSTAGRAM", "owner": {"id": 4}}
    assert json.loads(body) == {"expectedUrl": 'a "b"', "post": post, "version": 2, "comment": None}


@pytest.mark.unit
def test_a_missing_column_is_named_however_deep_it_stands() -> None:
    shape = {"post": {"owner": {"id": Column("owner_id")}}}
    with pytest.raises(ValueError, match=r"reports.sql: the query returns no column 'owner_id' \(it has id, day\)"):
        source(Path("reports.sql"), payload=shape).body({"id": 1, "day": date(2026, 1, 1)})
    with pytest.raises(ValueError, match="returns no column 'day'"):
        source(Path("reports.sql"), further_keys=("day",)).body({"id": 1})


@pytest.mark.unit
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id_column": "id; drop"}, "'id; drop' is not a lower-case identifier"),
        ({"further_keys": ("Day",)}, "'Day' is not a lower-case identifier"),
        ({"payload": {"a": {"b": Column("c d")}}}, "'c d' is not a lower-case identifier"),
        ({"limit": 0}, "limit must be at least 1, not 0"),
        ({"cool_down": timedelta(0)}, "without a cool-down every run would repeat every message"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"message source reports: {message}"):
        source(Path("reports.sql"), **changed)


@pytest.fixture
def channel(rabbitmq_service: Any, connection: Callable[..., None]) -> Iterator[Any]:
    at = rabbitmq_service.parameters()
    connection(
        "rabbitmq_connection", host=at.host, port=at.port, login=at.credentials.username,
        password=at.credentials.password, schema=at.virtual_host,
    )  # fmt: skip
    with pika.BlockingConnection(at) as opened:
        channel = opened.channel()
        channel.queue_delete(QUEUE)
        yield channel
        channel.queue_delete(QUEUE)


@pytest.fixture
def rows(clickhouse: Any, tmp_path: Path) -> Callable[[str], Path]:
    """A candidate query of the given values (id, day, title); nothing published yet."""
    clickhouse.execute("drop table if exists stir.published_messages")

    def query(values: str) -> Path:
        file = tmp_path / "reports.sql"
        file.write_text(
            "select id, day, %(test_job_prefix)s || toString(id) as job_id\n"
            f"from values('id UInt32, day Nullable(Date)', {values})"
        )
        return file

    return query


def send(declared: MessageSource) -> dict[str, Any]:
    return run(declared, params={}, run_id="manual__1")


def received(channel: Any) -> list[Any]:
    found = []
    while (answer := channel.basic_get(QUEUE, auto_ack=True))[0] is not None:
        found.append(json.loads(answer[2]))
    return found


@pytest.mark.integration
def test_a_queue_that_nobody_declared_is_declared_durable_and_keeps_the_message(
    channel: Any, rows: Callable[[str], Path]
) -> None:
    shape = {"job": Column("job_id"), "day": Column("day")}
    declared = source(rows("(1, '2026-01-31'), (2, null)"), payload=shape, variables=(PREFIX,))
    assert send(declared)["published"] == 2
    channel.queue_declare(QUEUE, durable=True)  # would be refused if it were not
    assert received(channel) == [{"job": "TEST_1", "day": "2026-01-31"}, {"job": "TEST_2", "day": None}]


@pytest.mark.integration
def test_a_queue_of_another_kind_is_used_as_it_is(channel: Any, rows: Callable[[str], Path]) -> None:
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    assert send(source(rows("(1, null)"), variables=(PREFIX,)))["published"] == 1
    assert received(channel) == [1]


@pytest.mark.integration
def test_a_variable_may_hold_any_text(
    channel: Any, rows: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_TEST_JOB_PREFIX", "it's 100 %\\")
    send(source(rows("(1, null)"), payload={"job": Column("job_id")}, variables=(PREFIX,)))
    assert received(channel) == [{"job": "it's 100 %\\1"}]


@pytest.mark.integration
def test_a_changed_key_is_told_at_once_and_an_unchanged_one_is_not(
    channel: Any, rows: Callable[[str], Path], clickhouse: Any
) -> None:
    def told(values: str) -> list[Any]:
        send(source(rows(values), further_keys=("day",), variables=(PREFIX,)))
        return received(channel)

    assert told("(1, null), (2, '2026-01-31')") == [1, 2]
    assert told("(1, null), (2, '2026-01-31')") == []
    assert told("(1, '2026-01-31'), (2, '2026-02-01')") == [1, 2]
    assert told("(1, null), (2, '2026-01-31')") == []
    recorded = clickhouse.execute("select id from stir.published_messages order by id")
    assert [row[0] for row in recorded] == ["1|", "1|2026-01-31", "2|2026-01-31", "2|2026-02-01"]
