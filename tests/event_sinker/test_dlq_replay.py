"""`dlq replay` out of the queue: what is stored, what stays, and what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pika
import pytest

from event_sinker.dlq import queue as dlq_queue
from event_sinker.parse import Reason
from tests.event_sinker.dead_letters import DEAD_QUEUE, EVERY_HEADER, bodies, bury, raw_letters
from tests.event_sinker.dlq_command import listed, run_dlq
from tests.event_sinker.sample_events import sample_event
from tests.fault.dlq_process import InsertProxy, start_dlq
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def insert_proxy(world: SinkerWorld) -> Iterator[InsertProxy]:
    with InsertProxy(world.settings.clickhouse_http_port) as proxy:
        yield proxy


def store(world: SinkerWorld, event: dict[str, Any]) -> None:
    """Store one event and leave no letter."""
    bury(world, [event])
    assert run_dlq(world, "replay", "profile_log").returncode == 0
    assert world.rows() == 1


def test_replay_after_the_causes_were_mended(world: SinkerWorld) -> None:
    """A sinker finds some too large, and a constraint refuses others. Until that is mended, a replay changes nothing,
    however many letters there are.
    """
    table = f"{world.settings.clickhouse_database}.profile_log_events"
    world.rows()
    world.client.command(f"ALTER TABLE {table} ADD CONSTRAINT short CHECK length(handle) < 5")
    world.start(max_message_bytes=500)
    world.publish(profile_event(handle="abc", dimensions={"bio": "x" * 2000}) for _ in range(5))
    world.publish([profile_event(handle="long enough") for _ in range(12)] + [profile_event(handle="abc")])
    wait_until(lambda: world.depth(DEAD_QUEUE) == 17)
    letters = listed(world, "profile_log")
    assert Counter(letter["reason"] for letter in letters) == {"oversize": 5, "refused_by_clickhouse": 12}
    before = raw_letters(world)

    done = run_dlq(world, "replay", "profile_log", max_message_bytes=500)
    assert done.returncode == 4, done.stderr
    assert "replayed 0, already stored 0, still dead 17, left 0" in done.stdout
    assert "oversize 5, for example: " in done.stdout
    assert "refused_by_clickhouse 12, for example: " in done.stdout
    assert raw_letters(world) == before
    refused = next(letter["id"] for letter in letters if letter["reason"] == "refused_by_clickhouse")
    assert "only a replay can tell" in run_dlq(world, "show", "profile_log", refused).stdout

    done = run_dlq(world, "replay", "profile_log", "--reason", "oversize", max_message_bytes=5000)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "profile_log: replayed 5, already stored 0, still dead 0, left 12\n"

    world.client.command(f"ALTER TABLE {table} DROP CONSTRAINT short")
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 0, done.stderr
    assert "replayed 12, already stored 0" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


def test_replay_of_letters_that_were_stored_meanwhile(world: SinkerWorld) -> None:
    """Stored by the publisher's second attempt, or twice among the dead letters: one row each."""
    resent, twice = profile_event(), profile_event()
    store(world, resent)
    bury(world, [resent, twice, twice | {"source": "again"}])
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 0, done.stderr
    assert "replayed 1, already stored 2" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


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


def test_dry_run_changes_nothing(world: SinkerWorld) -> None:
    stored = profile_event()
    store(world, stored)
    bury(world, [stored, *(profile_event() for _ in range(3)), b"{"])
    before = raw_letters(world)
    done = run_dlq(world, "replay", "profile_log", "--dry-run")
    assert done.returncode == 4, done.stderr
    assert "would be replayed 3, already stored 1, still dead 1, left 0" in done.stdout
    assert "broken_json 1, for example: " in done.stdout
    assert raw_letters(world) == before
    assert world.rows() == 1


def test_a_second_replay_is_refused(
    world: SinkerWorld, insert_proxy: InsertProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlq_queue, "_LOCK_SECONDS", 0.5)  # of the second ones
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


def test_replay_ends_when_others_take_its_letters(
    world: SinkerWorld, insert_proxy: InsertProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shovel empties the queue while a batch is written: the replay does not wait for those letters for ever."""
    monkeypatch.setattr(dlq_queue, "_IDLE_SECONDS", 1)
    bury(world, [profile_event() for _ in range(60)])
    insert_proxy.hold_next_insert("reply")

    def take_while_it_writes() -> int:
        try:
            wait_until(lambda: insert_proxy.bytes_held["reply"] > 0)
            return len(world.dead())
        finally:
            insert_proxy.release()

    with ThreadPoolExecutor() as pool:
        shovel = pool.submit(take_while_it_writes)
        done = run_dlq(world, "replay", "profile_log", clickhouse_http_port=insert_proxy.port, batch_rows=10)
        taken = shovel.result()
    assert taken > 0
    assert done.returncode == 0, done.stderr
    assert f"replayed {60 - taken}, already stored 0, still dead 0, left {taken}" in done.stdout
    assert f"others took or hold {taken} letters" in done.stderr
    assert world.rows() == 60 - taken


def test_replay_of_events_that_may_have_no_id_warns(world: SinkerWorld) -> None:
    world.serve("launch_refer")
    bury(world, [sample_event("launch_refer", eventId=None), sample_event("launch_refer")], event_type="launch_refer")
    done = run_dlq(world, "replay", "launch_refer")
    assert done.returncode == 0, done.stderr
    assert "some letters have no event id" in done.stderr
    assert world.rows("launch_refer_events") == 2


def test_replay_does_not_wait_for_a_clickhouse_that_is_away(world: SinkerWorld) -> None:
    bury(world, [profile_event()])
    done = run_dlq(world, "replay", "profile_log", clickhouse_http_port=1)
    assert done.returncode == 3
    assert "ClickHouse at 127.0.0.1:1: " in done.stderr
    assert world.depth(DEAD_QUEUE) == 1


def test_replay_into_a_missing_table_says_what_to_do(world: SinkerWorld) -> None:
    bury(world, [profile_event()])
    world.query("SELECT 1")
    world.client.command(f"DROP TABLE {world.settings.clickhouse_database}.profile_log_events SYNC")
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 3
    assert "init-schema" in done.stderr
    assert world.depth(DEAD_QUEUE) == 1
