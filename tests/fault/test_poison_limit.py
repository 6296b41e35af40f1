"""So much is poison that the fault is not in the messages: the queue is left alone until a person has looked."""

from __future__ import annotations

import pytest

from tests.fault.sinker_process import SinkerProcess, SinkerWorld, profile_event, wait_until

pytestmark = pytest.mark.integration

QUEUE = "profile_log_events_q"


def poison(count: int) -> list[bytes]:
    """Bodies that lack every key; no two are the same."""
    return [b'{"changed_payload": %d}' % number for number in range(count)]


def stopped_alone(sinker: SinkerProcess) -> str:
    """The last words of a sinker that had one queue."""
    assert sinker.process.wait(60) == 3
    return next(entry["message"] for entry in reversed(sinker.log()) if entry["level"] == "CRITICAL")


def assert_all_dead_after_restart(world: SinkerWorld, bodies: list[bytes], dead_before: list[bytes]) -> None:
    """Without limits everything is moved: nothing was lost, and nothing is moved twice."""
    world.start(poison_max_consecutive=0, poison_max_ratio=0)
    world.assert_each_stored_once()
    assert sorted(dead_before + [body for _, body, _ in world.dead()]) == sorted(bodies)


def test_too_many_in_a_row(world: SinkerWorld) -> None:
    """Case 15: all is poison. The consumer stops at the limit and gives an example; the messages stay."""
    bodies = poison(300)
    world.send(20)
    world.publish(bodies)
    sinker = world.start(wait=False, poison_max_consecutive=100, batch_rows=30, batch_max_rows=30)
    last = stopped_alone(sinker)
    assert QUEUE in last
    assert "missing_key: key event_id is missing" in last
    assert "SINKER_POISON_MAX_CONSECUTIVE" in last
    moved = [body for _, body, _ in world.dead()]
    assert 0 < len(moved) <= 100, "nothing was moved beyond the limit"
    wait_until(lambda: world.depth(QUEUE) == 300 - len(moved), what="the rest back in the queue")
    assert_all_dead_after_restart(world, bodies, moved)


def test_too_large_a_part(world: SinkerWorld) -> None:
    """Case 15: two of three messages are poison, never many in a row."""
    bodies = poison(400)
    mixed = []
    for at in range(0, 400, 2):
        mixed += [bodies[at], bodies[at + 1], profile_event()]
    world.publish(mixed)
    sinker = world.start(wait=False, poison_max_ratio=0.5, poison_window=100, batch_rows=30, batch_max_rows=30)
    last = stopped_alone(sinker)
    assert "SINKER_POISON_MAX_RATIO" in last
    moved = [body for _, body, _ in world.dead()]
    assert len(moved) < 100
    assert_all_dead_after_restart(world, bodies, moved)


def test_the_other_queues_of_the_process_go_on(world: SinkerWorld) -> None:
    """Case 15: one queue is stopped, /readyz names it, the rest is served as before."""
    world.serve("profile_log", "post_log", "order_log")
    sinker = world.start(poison_max_consecutive=50)
    for event_type in ("profile_log", "post_log", "order_log"):
        world.send(10, event_type)
    bodies = poison(200)
    world.publish(bodies, "profile_log")
    wait_until(lambda: sinker.get("/readyz").json()["stopped"], what="the queue to be stopped")
    for event_type in ("profile_log", "post_log", "order_log"):
        world.send(40, event_type)
    wait_until(lambda: world.rows("post_log_events") == world.rows("order_log_events") == 50)
    readiness = sinker.get("/readyz")
    assert readiness.status_code == 503
    assert list(readiness.json()["stopped"]) == [QUEUE]
    assert "missing_key" in readiness.json()["stopped"][QUEUE]
    assert sinker.metric("sinker_stopped", queue=QUEUE) == 1
    assert sinker.terminate() == 0
    moved = [body for _, body, _ in world.dead()]
    assert len(moved) <= 50
    assert_all_dead_after_restart(world, bodies, moved)
