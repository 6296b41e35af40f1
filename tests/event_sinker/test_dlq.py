"""`dlq list | show | replay | export | purge` against real servers: what moves, what stays, and what a person reads."""

from __future__ import annotations

import base64
import json
import os
import pty
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pika
import pytest
from botocore.exceptions import ClientError

from devstack.settings import EXPORT_BUCKET
from event_sinker.batch import Message
from event_sinker.dlq import export
from event_sinker.dlq.queue import Letter, read_letter
from event_sinker.errors import SinkerError
from event_sinker.events import EVENT_TYPES
from event_sinker.main import main
from event_sinker.parse import Reason
from tests.event_sinker.sample_events import sample_event
from tests.fault.dlq_process import InsertProxy, bury, raw_letters, run_dlq, start_dlq
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until

QUEUE = "profile_log_events_q"
DEAD_QUEUE = f"{QUEUE}.dead"
integration = pytest.mark.integration

EVERY_HEADER = {
    "text": 'é "quoted"',
    "bytes": b"\xff\x00",
    "yes": True,
    "small": -3,
    "large": -(1 << 62),
    "decimal": Decimal("-12.345"),
    "time": datetime(2026, 1, 5, 8, 0, tzinfo=UTC),
    "table": {"inner": {"list": [1, "two", None, b"\xfe"]}},
    "nothing": None,
}
EVERY_HEADER_AS_JSON = EVERY_HEADER | {
    "bytes": {"base64": "/wA="},
    "decimal": "-12.345",
    "time": "2026-01-05T08:00:00+00:00",
    "table": {"inner": {"list": [1, "two", None, {"base64": "/g=="}]}},
}


@pytest.fixture
def insert_proxy(world: SinkerWorld) -> Iterator[InsertProxy]:
    with InsertProxy(world.settings.clickhouse_http_port) as proxy:
        yield proxy


def listed(world: SinkerWorld, *arguments: str) -> list[dict[str, object]]:
    done = run_dlq(world, "list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def exported(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]  # U+2028 ends a line of text, not of JSON


def bodies(world: SinkerWorld) -> list[bytes]:
    return [body for body, _ in raw_letters(world)]


def reject_one(
    world: SinkerWorld,
    body: bytes,
    properties: pika.BasicProperties | None = None,
    event_type: str = "profile_log",
    queue: str = QUEUE,
) -> None:
    """Another consumer of the event queue rejects a message: RabbitMQ itself moves it to the dead letters."""
    world.publish([body], event_type, properties)
    dead = world.depth(f"{queue}.dead")
    with world.connection() as connection:
        channel = connection.channel()
        method, _, _ = channel.basic_get(queue)
        channel.basic_reject(method.delivery_tag, requeue=False)
        wait_until(lambda: world.depth(f"{queue}.dead") == dead + 1)


# --- list and show ----------------------------------------------------------------------------------------------------


@integration
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


@integration
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


@integration
def test_list_without_letters_says_so(world: SinkerWorld) -> None:
    assert "no dead letters" in run_dlq(world, "list").stdout
    assert listed(world) == []


@integration
def test_a_letter_that_another_consumer_rejected(world: SinkerWorld) -> None:
    reject_one(world, b"not json")
    first, second = listed(world, "profile_log"), listed(world, "profile_log")
    assert first == second
    (letter,) = first
    assert letter["reason"] == "rejected"
    assert QUEUE in letter["detail"]
    assert abs(datetime.fromisoformat(letter["dead_at"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert len(letter["id"]) == 10


@integration
def test_a_detail_is_shown_as_it_is(world: SinkerWorld) -> None:
    """Neither the markup of the table's library nor a terminal takes orders from a letter."""
    headers = {"x-stir-dead-reason": "wrong_type", "x-stir-dead-detail": "[red]x[/red] \x1b[2J :smile:"}
    with world.connection() as connection:
        connection.channel().basic_publish("dead.dx", QUEUE, b"{}", pika.BasicProperties(headers=headers))
    done = run_dlq(world, "list", "profile_log")
    assert "[red]x[/red] \\x1b[2J :smile:" in done.stdout


@integration
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


@integration
def test_show_escapes_what_is_no_text(world: SinkerWorld) -> None:
    bury(world, [b"caf\xc3\xa9 \xff\x00\x1b[31m"], Reason.INVALID_UTF8)
    assert "café \\xff\\x00\\x1b[31m" in run_dlq(world, "show", "profile_log").stdout


@integration
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


# --- replay -----------------------------------------------------------------------------------------------------------


@integration
def test_replay_after_a_limit_was_raised(world: SinkerWorld) -> None:
    world.start(max_message_bytes=500)
    world.publish([profile_event(dimensions={"bio": "x" * 2000}) for _ in range(5)])
    wait_until(lambda: world.depth(DEAD_QUEUE) == 5)
    assert {letter["reason"] for letter in listed(world, "profile_log")} == {"oversize"}
    done = run_dlq(world, "replay", "profile_log", max_message_bytes=5000)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "profile_log: replayed 5, already stored 0, still dead 0, left 0\n"
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


@integration
def test_replay_after_clickhouse_was_mended(world: SinkerWorld) -> None:
    """A constraint refuses rows. While it stands, a replay changes nothing, however many letters there are."""
    table = f"{world.settings.clickhouse_database}.profile_log_events"
    world.rows()
    world.client.command(f"ALTER TABLE {table} ADD CONSTRAINT short CHECK length(handle) < 5")
    world.start()
    world.publish([profile_event(handle="long enough") for _ in range(12)] + [profile_event(handle="abc")] * 1)
    wait_until(lambda: world.depth(DEAD_QUEUE) == 12)
    before = raw_letters(world)

    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 4, done.stderr
    assert "replayed 0, already stored 0, still dead 12, left 0" in done.stdout
    assert "refused_by_clickhouse 12, for example: " in done.stdout
    assert raw_letters(world) == before
    assert "only a replay can tell" in run_dlq(world, "show", "profile_log").stdout

    world.client.command(f"ALTER TABLE {table} DROP CONSTRAINT short")
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 0, done.stderr
    assert "replayed 12, already stored 0" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


@integration
def test_replay_of_letters_that_were_stored_meanwhile(world: SinkerWorld) -> None:
    """Stored by the publisher's second attempt, or twice among the dead letters: one row each."""
    resent, twice = profile_event(), profile_event()
    world.start()
    world.publish([resent])
    wait_until(lambda: world.rows() == 1)
    bury(world, [resent, twice, twice | {"source": "again"}])
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 0, done.stderr
    assert "replayed 1, already stored 2" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


@integration
def test_what_still_cannot_be_stored_stays_as_it_is(world: SinkerWorld) -> None:
    """Good and bad letters in turn, over several batches and windows."""
    good = [profile_event() for _ in range(300)]
    bad = [profile_event(metrics="none") for _ in range(300)]
    world.sent = []
    bury(world, [letter for pair in zip(good, bad, strict=True) for letter in pair], Reason.BAD_TIME)
    bury(world, [b"\xff\x00\xfe"], Reason.INVALID_UTF8, properties=pika.BasicProperties(headers=EVERY_HEADER))
    before = raw_letters(world)
    expected = [letter for at, letter in enumerate(before) if at % 2 == 1 or at == 600]
    done = run_dlq(world, "replay", "profile_log", batch_rows=70)
    assert done.returncode == 4, done.stderr
    assert "replayed 300, already stored 0, still dead 301, left 0" in done.stdout
    assert "wrong_type 300, for example: " in done.stdout
    assert raw_letters(world) == expected
    world.assert_each_stored_once(dead=[event["event_id"] for event in bad])


@integration
def test_replay_of_some_letters_only(world: SinkerWorld) -> None:
    bury(world, [profile_event() for _ in range(6)], Reason.WRONG_TYPE)
    bury(world, [profile_event() for _ in range(4)], Reason.BAD_TIME)
    wanted = listed(world, "profile_log")[8]
    assert (
        "replayed 1, already stored 0, still dead 0, left 9"
        in run_dlq(world, "replay", "profile_log", "--id", wanted["id"]).stdout
    )
    assert list(world.stored()) == [wanted["event_id"]]
    assert (
        "replayed 3, already stored 0, still dead 0, left 6"
        in run_dlq(world, "replay", "profile_log", "--reason", "bad_time").stdout
    )
    assert (
        "replayed 2, already stored 0, still dead 0, left 4"
        in run_dlq(world, "replay", "profile_log", "--limit", "2").stdout
    )
    assert world.rows() == 6
    assert world.depth(DEAD_QUEUE) == 4


@integration
def test_dry_run_changes_nothing(world: SinkerWorld) -> None:
    stored = profile_event()
    world.start()
    world.publish([stored])
    wait_until(lambda: world.rows() == 1)
    bury(world, [stored, *(profile_event() for _ in range(3)), b"{"])
    before = raw_letters(world)
    done = run_dlq(world, "replay", "profile_log", "--dry-run")
    assert done.returncode == 4, done.stderr
    assert "would be replayed 3, already stored 1, still dead 1, left 0" in done.stdout
    assert "broken_json 1, for example: " in done.stdout
    assert raw_letters(world) == before
    assert world.rows() == 1


@integration
def test_a_second_replay_is_refused(world: SinkerWorld, insert_proxy: InsertProxy, tmp_path: Path) -> None:
    bury(world, [profile_event() for _ in range(100)])
    insert_proxy.hold_next_insert("reply")
    first = start_dlq(world, "replay", "profile_log", clickhouse_http_port=insert_proxy.port)
    wait_until(lambda: insert_proxy.bytes_held["reply"] > 0)
    for command in (
        ["replay", "profile_log"],
        ["purge", "profile_log", "--yes"],
        ["export", "profile_log", "--to", str(tmp_path / "x"), "--remove"],
    ):
        second = run_dlq(world, *command)
        assert second.returncode == 3
        assert f"{DEAD_QUEUE}: another replay, export or purge runs" in second.stderr
    assert "letters that it holds are not seen" in run_dlq(world, "list", "profile_log").stderr
    insert_proxy.release()
    out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert "replayed 100" in out
    world.assert_each_stored_once()


@integration
def test_letters_that_die_during_a_replay_wait_for_the_next(world: SinkerWorld, insert_proxy: InsertProxy) -> None:
    """They arrive while the first of many batches is written, when most of the queue is still unread."""
    bury(world, [profile_event() for _ in range(100)])
    insert_proxy.hold_next_insert("reply")
    process = start_dlq(world, "replay", "profile_log", clickhouse_http_port=insert_proxy.port, batch_rows=10)
    wait_until(lambda: insert_proxy.bytes_held["reply"] > 0)
    late = [orjson.dumps(profile_event()) for _ in range(30)]
    bury(world, late)
    insert_proxy.release()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "replayed 100, already stored 0, still dead 0, left 0" in out
    assert sorted(bodies(world)) == sorted(late)
    world.assert_each_stored_once()


@integration
def test_replay_ends_when_others_take_its_letters(world: SinkerWorld, insert_proxy: InsertProxy) -> None:
    """A shovel empties the queue while a batch is written: the replay does not wait for those letters for ever."""
    bury(world, [profile_event() for _ in range(60)])
    insert_proxy.hold_next_insert("reply")
    process = start_dlq(world, "replay", "profile_log", clickhouse_http_port=insert_proxy.port, batch_rows=10)
    wait_until(lambda: insert_proxy.bytes_held["reply"] > 0)
    taken = len(world.dead())
    assert taken > 0
    insert_proxy.release()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"replayed {60 - taken}, already stored 0, still dead 0, left {taken}" in out
    assert f"others took or hold {taken} letters" in err
    assert world.rows() == 60 - taken


@integration
def test_replay_of_events_that_may_have_no_id_warns(world: SinkerWorld) -> None:
    world.serve("launch_refer")
    bury(world, [sample_event("launch_refer", eventId=None), sample_event("launch_refer")], event_type="launch_refer")
    done = run_dlq(world, "replay", "launch_refer")
    assert done.returncode == 0, done.stderr
    assert "some letters have no event id" in done.stderr
    assert world.rows("launch_refer_events") == 2


# --- export and replay of a file --------------------------------------------------------------------------------------


@integration
def test_export_holds_everything_and_can_be_replayed(world: SinkerWorld, tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    good = [profile_event(handle='é"\u2028\n') for _ in range(3)]
    kept = pika.BasicProperties(message_id="m-1", priority=3, timestamp=1_767_600_000, headers=EVERY_HEADER)
    bury(world, good, properties=kept)
    bury(world, [b"\xff\x00\xfe", profile_event(metrics="none")], Reason.INVALID_UTF8)
    world.sent.pop()
    ids = [letter["id"] for letter in listed(world, "profile_log")]
    done = run_dlq(world, "export", "profile_log", "--to", str(path), "--remove")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"profile_log: 5 dead letters, written to {path}; 0 left in the queue\n"
    assert world.depth(DEAD_QUEUE) == 0
    assert [entry.name for entry in tmp_path.iterdir() if "letters" in entry.name] == ["letters.jsonl"]

    records = exported(path)
    assert [record["id"] for record in records] == ids
    first = records[0]
    assert {name: first["headers"][name] for name in EVERY_HEADER} == EVERY_HEADER_AS_JSON
    assert first["properties"] == {
        "delivery_mode": 2,
        "message_id": "m-1",
        "priority": 3,
        "timestamp": 1_767_600_000,
    }
    assert first["body"].encode() == orjson.dumps(good[0])
    assert (first["reason"], first["column"], first["routing_key"]) == ("wrong_type", "handle", "profile_log_events")
    assert base64.b64decode(records[3]["body_base64"]) == b"\xff\x00\xfe"

    done = run_dlq(world, "replay", "profile_log", "--file", str(path))
    assert done.returncode == 4, done.stderr
    assert f"{path}, line 4: invalid_utf8: " in done.stdout
    assert f"{path}, line 5: wrong_type: " in done.stdout
    assert "replayed 3, already stored 0, still dead 2, left 0" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0
    again = run_dlq(world, "replay", "profile_log", "--file", str(path), "--reason", "wrong_type")
    assert again.returncode == 0, again.stderr
    assert "replayed 0, already stored 3, still dead 0, left 2" in again.stdout
    world.assert_each_stored_once()


@integration
def test_replay_of_a_file_leaves_the_queue_alone(world: SinkerWorld, tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    bury(world, [profile_event() for _ in range(10)])
    assert run_dlq(world, "export", "profile_log", "--to", str(path)).returncode == 0
    before = raw_letters(world)
    assert len(before) == 10
    assert run_dlq(world, "replay", "profile_log", "--file", str(path)).returncode == 0
    assert raw_letters(world) == before
    world.assert_each_stored_once()
    assert "replayed 0, already stored 10" in run_dlq(world, "replay", "profile_log").stdout


@integration
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"half', "unexpected"),
        ('{"event_type": "post_log"}', "the event type is post_log"),
        ('{"event_type": "profile_log", "id": "0123456789"}', "key 'body' is missing"),
        ("[1]", "it is no JSON object"),
    ],
)
def test_a_broken_file_is_refused_before_anything_is_stored(
    world: SinkerWorld, tmp_path: Path, line: str, problem: str
) -> None:
    path = tmp_path / "letters.jsonl"
    bury(world, [profile_event()])
    assert run_dlq(world, "export", "profile_log", "--to", str(path)).returncode == 0
    path.write_text(path.read_text() + line + "\n")
    done = run_dlq(world, "replay", "profile_log", "--file", str(path))
    assert done.returncode == 3
    assert f"{path}, line 2: " in done.stderr
    assert problem in done.stderr
    assert world.rows() == 0


@integration
def test_export_of_some_letters(world: SinkerWorld, tmp_path: Path) -> None:
    bury(world, [profile_event() for _ in range(5)], Reason.WRONG_TYPE)
    bury(world, [profile_event() for _ in range(5)], Reason.BAD_TIME)
    path = tmp_path / "some.jsonl"
    done = run_dlq(
        world, "export", "profile_log", "--to", str(path), "--reason", "bad_time", "--limit", "3", "--remove"
    )
    assert "3 dead letters" in done.stdout
    assert "7 left in the queue" in done.stdout
    assert [record["reason"] for record in exported(path)] == ["bad_time"] * 3
    assert world.depth(DEAD_QUEUE) == 7
    none = tmp_path / "none.jsonl"
    done = run_dlq(world, "export", "profile_log", "--to", str(none), "--reason", "empty")
    assert "0 dead letters, nothing was written; 7 left" in done.stdout
    assert not none.exists()


@integration
def test_export_replaces_no_file_and_removes_no_letter_without_one(world: SinkerWorld, tmp_path: Path) -> None:
    bury(world, [profile_event() for _ in range(3)])
    path = tmp_path / "letters.jsonl"
    path.write_text("precious")
    done = run_dlq(world, "export", "profile_log", "--to", str(path), "--remove")
    assert done.returncode == 3
    assert f"{path} exists already and is not replaced" in done.stderr
    assert path.read_text() == "precious"
    missing = tmp_path / "missing" / "letters.jsonl"
    done = run_dlq(world, "export", "profile_log", "--to", str(missing), "--remove")
    assert done.returncode == 3
    assert f"{missing}: No such file or directory. No letter was taken out" in done.stderr
    assert world.depth(DEAD_QUEUE) == 3


@pytest.mark.unit
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"

    def letters() -> Iterator[Letter]:
        path.write_text("precious")
        yield read_letter(Message(b"{}", 1, False, pika.BasicProperties(), 0.0))

    with pytest.raises(SinkerError, match="exists already and is not replaced"):
        export.write(letters(), EVENT_TYPES["profile_log"], export.LocalFile(path), lambda work: work())
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


@integration
def test_export_to_s3(world: SinkerWorld, s3_service, tmp_path: Path) -> None:
    aws = {
        "AWS_ENDPOINT_URL": s3_service.client().meta.endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": s3_service.secrets.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": s3_service.secrets.s3_secret_key,
    }
    key = f"dead/{uuid.uuid4().hex}.jsonl"
    url = f"s3://{EXPORT_BUCKET}/{key}"
    bury(world, [profile_event() for _ in range(120)])
    elsewhere = run_dlq(world, "export", "profile_log", "--to", f"s3://no-such-bucket/{key}", "--remove", **aws)
    assert elsewhere.returncode == 3
    assert f"s3://no-such-bucket/{key}: " in elsewhere.stderr
    assert "NoSuchBucket" in elsewhere.stderr
    assert world.depth(DEAD_QUEUE) == 120

    done = run_dlq(world, "export", "profile_log", "--to", url, "--remove", **aws)
    assert done.returncode == 0, done.stderr
    assert world.depth(DEAD_QUEUE) == 0
    path = tmp_path / "letters.jsonl"
    s3_service.client().download_file(EXPORT_BUCKET, key, str(path))
    assert [json.loads(record["body"])["event_id"] for record in exported(path)] == world.sent

    bury(world, [profile_event()])
    again = run_dlq(world, "export", "profile_log", "--to", url, "--remove", **aws)
    assert again.returncode == 3
    assert f"{url} exists already and is not replaced" in again.stderr
    assert world.depth(DEAD_QUEUE) == 1
    with pytest.raises(ClientError):
        s3_service.client().put_object(Bucket=EXPORT_BUCKET, Key=key, Body=b"", IfNoneMatch="*")


@integration
@pytest.mark.parametrize("command", ["export", "purge"])
def test_letters_that_arrive_meanwhile_are_not_taken_out(world: SinkerWorld, tmp_path: Path, command: str) -> None:
    """While letters pour in, a command takes out exactly those that it says; every other one is still there."""
    early = [f"early-{number}".encode() for number in range(2000)]
    bury(world, early)
    late: list[bytes] = []
    end = threading.Event()

    def pour() -> None:
        while not end.is_set():
            body = f"late-{len(late)}".encode()
            bury(world, [body])
            late.append(body)

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        wait_until(lambda: len(late) > 5)
        path = tmp_path / "letters.jsonl"
        arguments = ["--to", str(path), "--remove"] if command == "export" else ["--yes"]
        done = run_dlq(world, command, "profile_log", *arguments)
        assert done.returncode == 0, done.stderr
        seen = len(late)
        wait_until(lambda: len(late) > seen + 5)
    finally:
        end.set()
        pouring.join()
    wait_until(lambda: world.depth(DEAD_QUEUE) > 0)
    left = bodies(world)
    if command == "export":
        taken = [record["body"].encode() for record in exported(path)]
        assert f"{len(taken):,} dead letters" in done.stdout
        assert sorted(taken + left) == sorted(early + late)
    else:
        taken = [body for body in early + late if body not in set(left)]
        assert f"deleted {len(taken):,} of {len(taken):,} dead letters" in done.stdout
    assert taken[:2000] == early
    assert left == late[len(taken) - 2000 :]


# --- purge ------------------------------------------------------------------------------------------------------------


@integration
def test_purge_needs_yes(world: SinkerWorld) -> None:
    bury(world, [profile_event() for _ in range(5)])
    before = raw_letters(world)
    done = run_dlq(world, "purge", "profile_log")
    assert done.returncode == 2
    assert "would delete 5 of 5 dead letters of profile_log; nothing was deleted" in done.stdout
    assert raw_letters(world) == before


@integration
def test_purge_deletes_what_was_asked_for_and_nothing_else(world: SinkerWorld) -> None:
    bury(world, [b"old"] * 3, Reason.BROKEN_JSON, age=timedelta(days=40))
    bury(world, [b"old but other"], Reason.EMPTY, age=timedelta(days=40))
    bury(world, [b"young", b"young too"], Reason.BROKEN_JSON, age=timedelta(days=20))
    with world.connection() as connection:
        connection.channel().basic_publish("dead.dx", QUEUE, b"of unknown age")
    arguments = ["purge", "profile_log", "--older-than", "30d", "--reason", "broken_json"]
    assert "would delete 3 of 7" in run_dlq(world, *arguments).stdout
    done = run_dlq(world, *arguments, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "deleted 3 of 7 dead letters of profile_log\n"
    assert bodies(world) == [b"old but other", b"young", b"young too", b"of unknown age"]
    chosen = listed(world, "profile_log")[1]["id"]
    assert run_dlq(world, "purge", "profile_log", "--id", chosen, "--yes").returncode == 0
    assert bodies(world) == [b"old but other", b"young too", b"of unknown age"]
    assert "deleted 1 of 3" in run_dlq(world, "purge", "profile_log", "--older-than", "600h", "--yes").stdout


@integration
def test_purge_of_thousands_in_turn_with_others(world: SinkerWorld) -> None:
    """RabbitMQ buffers acknowledgements; none may be lost at the end."""
    for start in range(0, 3000, 1000):
        for reason in (Reason.EMPTY, Reason.BAD_TIME):
            bury(world, [f"{reason.value}-{start + number}".encode() for number in range(500)], reason)
    done = run_dlq(world, "purge", "profile_log", "--reason", "empty", "--yes")
    assert "deleted 1,500 of 3,000" in done.stdout, done.stderr
    left = bodies(world)
    assert len(left) == 1500
    assert all(body.startswith(b"bad_time") for body in left)


@integration
@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 2, 3), ("\n", 2, 3)])
def test_purge_asks_when_somebody_can_answer(world: SinkerWorld, answer: str, code: int, left: int) -> None:
    bury(world, [profile_event() for _ in range(3)])
    master, terminal = pty.openpty()
    process = start_dlq(world, "purge", "profile_log", stdin=terminal)
    os.close(terminal)
    os.write(master, answer.encode())
    out, err = process.communicate(timeout=60)
    os.close(master)
    assert "Delete 3 of 3 dead letters of profile_log for good? [y/N]" in out
    assert process.returncode == code, err
    assert world.depth(DEAD_QUEUE) == left


# --- errors and help --------------------------------------------------------------------------------------------------

COMMANDS = [
    ["list", "profile_log"],
    ["show", "profile_log"],
    ["replay", "profile_log"],
    ["export", "profile_log", "--to", "/nowhere/letters.jsonl"],
    ["purge", "profile_log", "--yes"],
]


@integration
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_what_is_not_there_is_named(world: SinkerWorld, tmp_path: Path, command: list[str]) -> None:
    command = [argument.replace("/nowhere", str(tmp_path)) for argument in command]
    away = run_dlq(world, *command, rabbitmq_port=1)
    assert away.returncode == 3
    assert "RabbitMQ at 127.0.0.1:1: " in away.stderr
    assert "Traceback" not in away.stderr
    with world.connection() as connection:
        connection.channel().queue_delete(DEAD_QUEUE)
    missing = run_dlq(world, *command)
    assert missing.returncode == 3
    assert f"queue {DEAD_QUEUE} is declared by `run`" in missing.stderr


@integration
def test_replay_does_not_wait_for_a_clickhouse_that_is_away(world: SinkerWorld) -> None:
    bury(world, [profile_event()])
    done = run_dlq(world, "replay", "profile_log", clickhouse_http_port=1)
    assert done.returncode == 3
    assert "ClickHouse at 127.0.0.1:1: " in done.stderr
    assert world.depth(DEAD_QUEUE) == 1


@integration
def test_replay_into_a_missing_table_says_what_to_do(world: SinkerWorld) -> None:
    bury(world, [profile_event()])
    world.query("SELECT 1")
    world.client.command(f"DROP TABLE {world.settings.clickhouse_database}.profile_log_events SYNC")
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 3
    assert "init-schema" in done.stderr
    assert world.depth(DEAD_QUEUE) == 1


@pytest.mark.unit
@pytest.mark.parametrize("command", ["list", "show", "replay", "export", "purge"])
def test_help_has_an_example_and_a_sentence_per_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dlq", command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"example: python -m event_sinker dlq {command}" in text
    for line in text.splitlines():
        if line.lstrip().startswith("--"):
            following = text.split(line, 1)[1].lstrip("\n").split("\n", 1)[0]
            assert "  " in line.strip() or following.startswith(" " * 10), f"no help for {line}"


@pytest.mark.unit
def test_replay_help_says_where_its_promise_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dlq", "replay", "--help"])
    assert "may have no id (launch_refer)" in capsys.readouterr().out


@pytest.mark.unit
@pytest.mark.parametrize(
    "arguments",
    [
        ["purge", "profile_log", "--older-than", "soon"],
        ["show", "profile_log", "xyz"],
        ["replay", "profile_log", "--limit", "0"],
        ["replay", "no_such_type"],
        ["export", "profile_log"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dlq", *arguments])
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err or arguments[0] == "export"
