"""`dlq list` and `dlq show`: what a person reads, and that nothing moves by it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pika
import pytest

from event_sinker.parse import Reason
from tests.event_sinker.dead_letters import DEAD_QUEUE, QUEUE, bury, raw_letters, reject_one
from tests.event_sinker.dlq_command import exported, listed, run_dlq
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, profile_event

pytestmark = pytest.mark.integration


def test_list_leaves_every_letter_in_its_place(world: SinkerWorld) -> None:
    """More letters than one window; RabbitMQ shuffles what is requeued one by one."""
    bury(world, [profile_event(handle=f"h{number}") for number in range(300)])
    bury(world, [b"{"], Reason.BROKEN_JSON)
    before = raw_letters(world)
    lists = [listed(world, "profile_log", "--limit", "1000") for _ in range(2)]
    assert lists[0] == lists[1]
    assert [letter["event_id"] for letter in lists[0]] == [*world.sent, ""]
    few = [listed(world, "profile_log", "--limit", "7") for _ in range(2)]
    assert few == [lists[0][:7], lists[0][:7]]
    assert raw_letters(world) == before


def test_list_shows_reasons_and_counts_all(world: SinkerWorld) -> None:
    event = profile_event()
    bury(world, [event] + [profile_event() for _ in range(29)], Reason.WRONG_TYPE)
    bury(world, [b'{"half'], Reason.BROKEN_JSON)
    done = run_dlq(world, "list", "profile_log", "--reason", "wrong_type", "--limit", "3")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if "was wrong_type" in line]
    assert len(rows) == 3
    assert event["event_id"] in rows[0]
    assert f" {len(orjson.dumps(event))} " in rows[0]
    assert "31 dead letters: wrong_type 30, broken_json 1" in done.stdout
    assert "none with the reason oversize" in run_dlq(world, "list", "--reason", "oversize").stdout


def test_list_without_letters_says_so(world: SinkerWorld) -> None:
    assert "no dead letters" in run_dlq(world, "list").stdout
    assert listed(world) == []


def test_a_letter_that_another_consumer_rejected(world: SinkerWorld) -> None:
    reject_one(world, b"not json")
    first, second = listed(world, "profile_log"), listed(world, "profile_log")
    assert first == second
    (letter,) = first
    assert letter["reason"] == "rejected"
    assert QUEUE in letter["detail"]
    assert abs(datetime.fromisoformat(letter["dead_at"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert len(letter["id"]) == 10


def test_a_detail_is_shown_as_it_is(world: SinkerWorld) -> None:
    """Neither the markup of the table's library nor a terminal takes orders from a letter."""
    headers = {"x-stir-dead-reason": "wrong_type", "x-stir-dead-detail": "[red]x[/red] \x1b[2J :smile:"}
    with world.connection() as connection:
        connection.channel().basic_publish("dead.dx", QUEUE, b"{}", pika.BasicProperties(headers=headers))
    done = run_dlq(world, "list", "profile_log")
    assert "[red]x[/red] \\x1b[2J :smile:" in done.stdout


def test_show_has_everything_and_todays_verdict(world: SinkerWorld) -> None:
    good = profile_event(handle="h" * 9000)
    bad = json.dumps(profile_event(metrics="none", n=123456789012345678901234567890)).encode()
    bury(world, [good], properties=pika.BasicProperties(message_id="m-1", headers={"trace": "t-9", "raw": b"\xff"}))
    bury(world, [bad])
    first, second = listed(world, "profile_log")
    done = run_dlq(world, "show", "profile_log")
    assert done.returncode == 0, done.stderr
    assert run_dlq(world, "show", "profile_log", "--first").stdout == done.stdout
    assert first["id"] in done.stdout
    assert f'"{good["event_id"]}"' in done.stdout
    assert 'message_id: "m-1"' in done.stdout
    assert 'trace: "t-9"' in done.stdout
    assert 'raw: {"base64":"/w=="}' in done.stdout
    assert 'x-stir-routing-key: "profile_log_events"' in done.stdout
    assert "today: it parses" in done.stdout
    assert "more characters: --full" in done.stdout
    assert "h" * 9000 not in done.stdout
    assert "h" * 9000 in run_dlq(world, "show", "profile_log", first["id"], "--full").stdout

    done = run_dlq(world, "show", "profile_log", second["id"])
    assert '"n": 123456789012345678901234567890' in done.stdout
    assert "today: still wrong_type (column metrics): " in done.stdout
    assert world.depth(DEAD_QUEUE) == 2

    done = run_dlq(world, "show", "profile_log", "0123456789")
    assert done.returncode == 3
    assert "no dead letter with the id 0123456789" in done.stderr


def test_show_escapes_what_is_no_text(world: SinkerWorld) -> None:
    bury(world, [b"caf\xc3\xa9 \xff\x00\x1b[31m"], Reason.INVALID_UTF8)
    assert "café \\xff\\x00\\x1b[31m" in run_dlq(world, "show", "profile_log").stdout


def test_credentials_are_never_printed_or_exported(world: SinkerWorld, tmp_path: Path) -> None:
    """A trace that another consumer rejected lies there as it came."""
    world.serve("trace_log")
    trace = sample_event("trace_log", headers={"Authorization": "Bearer abcdef123456"}, uri="/v1?access_token=hunter2")
    reject_one(world, orjson.dumps(trace), event_type="trace_log", queue="trace_log")
    shown = run_dlq(world, "show", "trace_log").stdout
    assert "[redacted]" in shown
    path = tmp_path / "traces.jsonl"
    assert run_dlq(world, "export", "trace_log", "--to", str(path)).returncode == 0
    for secret in ("abcdef123456", "hunter2"):
        assert secret not in shown
        assert secret not in path.read_text()
    letter_id = exported(path)[0]["id"]
    assert letter_id == listed(world, "trace_log")[0]["id"]
    done = run_dlq(world, "replay", "trace_log", "--file", str(path), "--id", letter_id)
    assert "replayed 1," in done.stdout
