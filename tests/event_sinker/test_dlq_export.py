"""`dlq export` to a file and to S3, and `dlq replay` of such a file."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
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
from event_sinker.parse import Reason
from tests.event_sinker.dead_letters import DEAD_QUEUE, EVERY_HEADER, bury, raw_letters
from tests.event_sinker.dlq_command import exported, listed, run_dlq
from tests.fault.sinker_process import SinkerWorld, profile_event

EVERY_HEADER_AS_JSON = EVERY_HEADER | {
    "bytes": {"base64": "/wA="},
    "decimal": "-12.345",
    "time": "2026-01-05T08:00:00+00:00",
    "table": {"inner": {"list": [1, "two", None, {"base64": "/g=="}]}},
}


@pytest.mark.integration
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


@pytest.mark.integration
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


@pytest.mark.integration
def test_a_broken_file_is_refused_before_anything_is_stored(world: SinkerWorld, tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    bury(world, [profile_event(), profile_event()])
    assert run_dlq(world, "export", "profile_log", "--to", str(path)).returncode == 0
    good = path.read_text()
    for line, problem in (
        ('{"half', "unexpected"),
        ('{"event_type": "post_log"}', "the event type is post_log"),
        ('{"event_type": "profile_log", "id": "0123456789"}', "key 'body' is missing"),
        ("[1]", "it is no JSON object"),
    ):
        path.write_text(f"{good}{line}\n")
        done = run_dlq(world, "replay", "profile_log", "--file", str(path), batch_rows=1)
        assert done.returncode == 3, line
        assert f"{path}, line 3: " in done.stderr
        assert problem in done.stderr
        assert world.rows() == 0, line


@pytest.mark.integration
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


@pytest.mark.integration
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


@pytest.mark.integration
def test_export_to_s3(world: SinkerWorld, s3_service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
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
