"""A queue that is no longer served holds nothing, and the other queues of the process do not notice."""

from __future__ import annotations

import httpx
import pytest

from tests.event_sinker.sample_events import sample_event
from tests.fault.clickhouse_faults import ClickHouseFaults
from tests.fault.sinker_process import SinkerProcess, SinkerWorld, wait_until

pytestmark = pytest.mark.integration

PROFILE, POST = "profile_log_events_q", "post_log_events_q"


def stopped(sinker: SinkerProcess) -> dict[str, str]:
    return sinker.get("/readyz").json()["stopped"]


def test_a_stopped_queue_takes_no_more_and_the_others_go_on(world: SinkerWorld) -> None:
    """Thousands of messages are on their way when it stops."""
    world.serve("profile_log", "post_log")
    world.publish([b"{"] * 3000)
    sinker = world.start(wait=False, batch_rows=50, prefetch=2000, poison_max_consecutive=10)
    wait_until(sinker.answers)
    wait_until(lambda: sinker.metric("sinker_stopped", queue=PROFILE) == 1, what="stopped")
    wait_until(lambda: world.depth(PROFILE) == 3000, what="all back in the queue")
    world.publish((sample_event("post_log") for _ in range(200)), "post_log")
    wait_until(lambda: world.rows("post_log_events") == 200)
    assert sinker.metric("sinker_buffer_rows", queue=PROFILE) == 0
    assert sinker.metric("sinker_rabbitmq_reconnects_total") == 0
    assert list(stopped(sinker)) == [PROFILE]
    assert world.depth(f"{PROFILE}.dead") == 0
    assert sinker.terminate() == 0


def test_a_queue_that_must_not_be_read_stops_alone(world: SinkerWorld, rabbitmq_service) -> None:
    world.serve("profile_log", "post_log")
    login = (world.settings.rabbitmq_user, world.settings.rabbitmq_password.get_secret_value())
    with httpx.Client(base_url=rabbitmq_service.management_url, auth=login, timeout=20) as management:
        management.put("/api/users/limited", json={"password": "limited", "tags": ""}).raise_for_status()
        rights = {"configure": ".*", "write": ".*", "read": f"^(?!{POST}$).*"}
        path = f"/api/permissions/{world.settings.rabbitmq_vhost}/limited"
        management.put(path, json=rights).raise_for_status()
        sinker = world.start(wait=False, rabbitmq_user="limited", rabbitmq_password="limited")
        world.send(50)
        world.publish([sample_event("post_log")], "post_log")
        wait_until(lambda: world.rows() == 50)
        wait_until(lambda: list(stopped(sinker)) == [POST])
        assert "lacks the right to read it" in stopped(sinker)[POST]
        assert sinker.metric("sinker_rabbitmq_reconnects_total") == 0
        management.delete("/api/users/limited")


def test_a_fault_that_nobody_knows_blames_no_row(world: SinkerWorld, clickhouse_faults: ClickHouseFaults) -> None:
    """A small batch, as quiet queues have them, and ClickHouse fails for every row with a code that no list has."""
    sinker = world.start(clickhouse_http_port=clickhouse_faults.port, batch_seconds=0.5, retry_max_seconds=0.1)
    clickhouse_faults.answer(9999, times=1000)
    world.send(3)
    assert sinker.process.wait(60) == 3
    assert "accepts no row" in sinker.messages()[-1]
    assert world.depth(f"{PROFILE}.dead") == 0
    world.start()
    world.assert_each_stored_once()


def test_all_consumers_of_a_queue_stop_together(world: SinkerWorld, clickhouse_faults: ClickHouseFaults) -> None:
    """One of two meets a fault that only a person can mend; the queue is not served by half."""
    world.serve("profile_log", "post_log")
    sinker = world.start(clickhouse_http_port=clickhouse_faults.port, consumers_by_type='{"profile_log": 2}')
    clickhouse_faults.answer(60, times=1)  # unknown table
    world.send(1)
    wait_until(lambda: list(stopped(sinker)) == [PROFILE])
    world.send(200)
    world.send(20, "post_log")
    wait_until(lambda: world.rows("post_log_events") == 20)
    wait_until(lambda: world.depth(PROFILE) == 201)
    assert world.rows() == 0
    assert sum("init-schema" in message for message in sinker.messages()) == 1
    assert sinker.terminate() == 0
    world.start()
    world.assert_each_stored_once()
