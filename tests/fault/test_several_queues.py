"""One process with several event types, and processes that share some of them."""

from __future__ import annotations

import pytest

from event_sinker.events import EVENT_TYPES
from tests.fault.sinker_process import SinkerWorld, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


def test_one_process_with_all_types_dies_and_loses_its_connection(world: SinkerWorld, rabbitmq_proxy: TcpProxy) -> None:
    """One connection carries all queues; when it goes, all come back, each with its own events."""
    world.serve()
    sinker = world.start(rabbitmq_port=rabbitmq_proxy.port, batch_seconds=2)
    for name in EVENT_TYPES:
        world.send(20, name)
    wait_until(lambda: sinker.metric("sinker_buffer_rows") > 0)
    rabbitmq_proxy.cut()
    for name in EVENT_TYPES:
        world.send(20, name)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") > 0)
    sinker.kill()
    for name in EVENT_TYPES:
        world.send(10, name)
    world.start()
    world.assert_each_stored_once()
    assert {name: world.rows(event.table) for name, event in EVENT_TYPES.items()} == dict.fromkeys(EVENT_TYPES, 50)


def test_two_processes_with_overlapping_types_and_one_dies(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 12, 26: the shared queue goes on without the dead one, its own queue waits for its return."""
    world.serve("profile_log", "post_log", "order_log")
    staying = world.start(event_types=("profile_log", "post_log"), batch_rows=20)
    dying_types = ("post_log", "order_log")
    dying = world.start(event_types=dying_types, batch_rows=20, clickhouse_http_port=clickhouse_proxy.port)
    for name in ("profile_log", "post_log", "order_log"):
        world.send(100, name)
    wait_until(lambda: sum(world.stored().values()) == 300)
    clickhouse_proxy.hold_replies()
    for name in ("profile_log", "post_log", "order_log"):
        world.send(200, name)
    wait_until(lambda: world.rows("order_log_events") > 100, what="an insert whose reply is held back")
    dying.kill()

    wait_until(lambda: world.rows("profile_log_events") == world.rows("post_log_events") == 300)
    assert world.depth("order_log_events_q") == 200
    world.send(50, "order_log")
    world.start(event_types=dying_types)
    world.assert_each_stored_once()
    assert staying.process.poll() is None
