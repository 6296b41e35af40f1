"""`dlq purge`, and what every command that takes letters out must not take."""

from __future__ import annotations

import os
import pty
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from event_sinker.parse import Reason
from tests.event_sinker.dead_letters import DEAD_QUEUE, QUEUE, bodies, bury, raw_letters
from tests.event_sinker.dlq_command import exported, listed, run_dlq
from tests.fault.dlq_process import start_dlq
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until

pytestmark = pytest.mark.integration


def test_purge_needs_yes(world: SinkerWorld) -> None:
    bury(world, [profile_event() for _ in range(5)])
    before = raw_letters(world)
    done = run_dlq(world, "purge", "profile_log")
    assert done.returncode == 2
    assert "would delete 5 of 5 dead letters of profile_log; nothing was deleted" in done.stdout
    assert raw_letters(world) == before


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
        before = len(late)
        path = tmp_path / "letters.jsonl"
        arguments = ["--to", str(path), "--remove"] if command == "export" else ["--yes"]
        done = run_dlq(world, command, "profile_log", *arguments)
        assert done.returncode == 0, done.stderr
        seen = len(late)
        assert seen > before, "no letter arrived while the command ran"
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
