"""A replay of dead letters is interrupted at the worst moments; run again, each event is stored exactly once."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pika
import pytest

from event_sinker.dlq import queue
from event_sinker.settings import Settings
from event_sinker.topology import connection_parameters
from tests.event_sinker.dead_letters import DEAD_QUEUE, bury, raw_letters
from tests.event_sinker.dlq_command import run_dlq
from tests.fault.dlq_process import InsertProxy, start_dlq
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


@pytest.fixture
def insert_proxy(world: SinkerWorld) -> Iterator[InsertProxy]:
    with InsertProxy(world.settings.clickhouse_http_port) as proxy:
        yield proxy


def events(count: int) -> list[dict[str, object]]:
    return [profile_event() for _ in range(count)]


def start_and_hold(world: SinkerWorld, proxy: InsertProxy, direction: str, **changes: object) -> subprocess.Popen[str]:
    """A replay in the middle of its first insert: the request, or the reply, is held back."""
    proxy.hold_next_insert(direction)
    process = start_dlq(world, "replay", "profile_log", clickhouse_http_port=proxy.port, **changes)

    def held() -> bool:
        assert process.poll() is None, process.communicate()
        return proxy.bytes_held[direction] > 0

    wait_until(held, what=f"{direction} of the insert is held back")
    return process


def assert_all_replayed(world: SinkerWorld, already_stored: int = 0, **changes: object) -> None:
    """Run it again: it succeeds, each event is stored exactly once, and no dead letter is left."""
    done = run_dlq(world, "replay", "profile_log", **changes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"already stored {already_stored:,}, still dead 0, left 0" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


def test_killed_after_the_insert_and_before_the_acknowledgement(world: SinkerWorld, insert_proxy: InsertProxy) -> None:
    bury(world, events(300))
    process = start_and_hold(world, insert_proxy, "reply")
    wait_until(lambda: world.rows() == 300, what="rows stored, reply held back")
    process.kill()
    process.wait(10)

    wait_until(lambda: world.depth(DEAD_QUEUE) == 300, what="letters returned")
    assert_all_replayed(world, already_stored=300)


def test_killed_before_the_insert(world: SinkerWorld, insert_proxy: InsertProxy) -> None:
    bury(world, events(300))
    process = start_and_hold(world, insert_proxy, "request")
    process.kill()
    process.wait(10)
    insert_proxy.drop_held()
    assert world.rows() == 0

    wait_until(lambda: world.depth(DEAD_QUEUE) == 300, what="letters returned")
    assert_all_replayed(world)


def test_killed_and_its_insert_arrives_while_the_next_replay_runs(
    world: SinkerWorld, insert_proxy: InsertProxy
) -> None:
    bury(world, events(300))
    process = start_and_hold(world, insert_proxy, "request")
    process.kill()
    process.wait(10)
    wait_until(lambda: world.depth(DEAD_QUEUE) == 300, what="letters returned")

    second = start_dlq(world, "replay", "profile_log", redelivery_settle_seconds=3)
    wait_until(lambda: world.depth(DEAD_QUEUE) == 0, what="the second replay has the letters")
    insert_proxy.release()
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert "replayed 0, already stored 300" in out
    assert_all_replayed(world)


def test_rabbitmq_connection_cut_during_the_insert(
    world: SinkerWorld, insert_proxy: InsertProxy, rabbitmq_proxy: TcpProxy
) -> None:
    bury(world, events(300))
    process = start_and_hold(world, insert_proxy, "reply", rabbitmq_port=rabbitmq_proxy.port)
    rabbitmq_proxy.cut()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "still in the queue, run the command again" in err
    assert "replayed 0" in out

    insert_proxy.release()
    wait_until(lambda: world.depth(DEAD_QUEUE) == 300, what="letters returned")
    assert_all_replayed(world, already_stored=300)


def test_an_insert_slower_than_the_heartbeat(
    world: SinkerWorld, insert_proxy: InsertProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ closes a connection that is silent for two to three heartbeats, and delivers the letters again."""
    heartbeat = 2  # seconds; the settings allow no less than 5, and the test would take three times as long

    def parameters(settings: Settings) -> pika.ConnectionParameters:
        found = connection_parameters(settings)
        found.heartbeat = heartbeat
        return found

    monkeypatch.setattr(queue, "connection_parameters", parameters)
    bury(world, events(300))
    insert_proxy.hold_next_insert("reply")

    def hold() -> int:
        try:
            wait_until(lambda: insert_proxy.bytes_held["reply"] > 0)
            end = time.monotonic() + 3.5 * heartbeat
            wait_until(lambda: time.monotonic() > end)
            return world.depth(DEAD_QUEUE)
        finally:
            insert_proxy.release()

    with ThreadPoolExecutor() as pool:
        holding = pool.submit(hold)
        done = run_dlq(world, "replay", "profile_log", clickhouse_http_port=insert_proxy.port)
        assert holding.result() == 0, "the letters went back while the insert ran"
    assert done.returncode == 0, done.stderr
    assert "replayed 300, already stored 0" in done.stdout
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


def test_sigterm_in_the_middle_of_many_letters(world: SinkerWorld) -> None:
    bury(world, events(3000))
    process = start_dlq(world, "replay", "profile_log", batch_rows=50)
    wait_until(lambda: world.rows() > 0)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    assert "stopped before the end" in err
    stored = world.rows()
    assert 0 < stored < 3000
    assert f"replayed {stored:,}, already stored 0, still dead 0, left {3000 - stored:,}" in out
    assert world.depth(DEAD_QUEUE) == 3000 - stored, "what was stored is acknowledged, the rest is back"

    assert_all_replayed(world)


def test_killed_again_and_again(world: SinkerWorld) -> None:
    bury(world, events(1500))
    for _ in range(3):
        before = world.rows()
        process = start_dlq(world, "replay", "profile_log", batch_rows=50)
        wait_until(lambda before=before: world.rows() > before)
        process.kill()
        process.wait(10)
    wait_until(lambda: world.depth(DEAD_QUEUE) >= 1500 - world.rows(), what="letters returned")
    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 0, done.stderr
    world.assert_each_stored_once()
    assert world.depth(DEAD_QUEUE) == 0


def test_a_second_signal_stops_at_once(world: SinkerWorld, insert_proxy: InsertProxy) -> None:
    bury(world, events(100))
    process = start_and_hold(world, insert_proxy, "reply", shutdown_grace_seconds=60)
    process.send_signal(signal.SIGINT)
    assert "once more to stop at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    insert_proxy.release()
    wait_until(lambda: world.depth(DEAD_QUEUE) == 100, what="letters returned")
    assert_all_replayed(world, already_stored=100)


def test_sigterm_while_clickhouse_is_away_ends_after_the_grace_period(
    world: SinkerWorld, insert_proxy: InsertProxy
) -> None:
    bury(world, events(100))
    process = start_and_hold(world, insert_proxy, "request", shutdown_grace_seconds=1)
    insert_proxy.refuse(True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 143
    insert_proxy.drop_held()
    assert_all_replayed(world)


def test_what_still_fails_is_there_after_a_kill(world: SinkerWorld, insert_proxy: InsertProxy) -> None:
    bury(world, [b'{"half', *events(100), b"\xff\x00"])
    before = sorted(raw_letters(world), key=repr)
    process = start_and_hold(world, insert_proxy, "request")
    process.kill()
    process.wait(10)
    insert_proxy.drop_held()
    wait_until(lambda: world.depth(DEAD_QUEUE) == 102, what="letters returned")
    assert sorted(raw_letters(world), key=repr) == before

    done = run_dlq(world, "replay", "profile_log")
    assert done.returncode == 4, done.stderr
    world.assert_each_stored_once()
    assert [body for body, _ in raw_letters(world)] == [b'{"half', b"\xff\x00"]
