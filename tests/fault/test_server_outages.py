"""RabbitMQ and ClickHouse die, stall or disappear; the sinker stays, and the count at the end is the promise."""

from __future__ import annotations

import threading
import time

import pytest

from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


def kill_and_restart(service, pause: float = 0.0) -> None:
    """kill -9 the server of a stack service, then start it again."""
    process = service.main.process()
    process.kill()
    process.wait(10)
    time.sleep(pause)
    service.start()
    service.wait_ready()


def test_broker_killed_and_restarted_with_a_batch_in_memory(world: SinkerWorld, rabbitmq_service) -> None:
    """Case 5: kill -9 of the broker; the batch is abandoned and comes again."""
    sinker = world.start(batch_seconds=5, batch_rows=5000)
    world.send(500)
    wait_until(lambda: sinker.metric("sinker_buffer_rows") == 500)
    kill_and_restart(rabbitmq_service)
    wait_until(sinker.ready)
    world.send(100)
    world.assert_each_stored_once()
    assert sinker.process.poll() is None


def test_broker_killed_after_the_insert_and_before_the_acknowledgement(
    world: SinkerWorld, rabbitmq_service, clickhouse_proxy: TcpProxy
) -> None:
    """Case 5, 12: the same process gets messages again that it stored itself: they are recognised."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port, batch_rows=50)
    clickhouse_proxy.hold_replies()
    world.send(200)
    wait_until(lambda: world.rows() > 1)
    stored = world.rows()
    kill_and_restart(rabbitmq_service)
    clickhouse_proxy.release()
    world.assert_each_stored_once()
    wait_until(lambda: sinker.metric("sinker_duplicates_dropped_total") >= stored - 1)


def test_broker_and_sinker_killed_after_the_insert(
    world: SinkerWorld, rabbitmq_service, clickhouse_proxy: TcpProxy
) -> None:
    """Case 2, 5: only the broker's disk remembers the delivery; the lookup in ClickHouse needs its redelivered flag."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port)
    clickhouse_proxy.hold_replies()
    world.send(200)
    wait_until(lambda: world.rows() > 1)
    rabbitmq_service.main.process().kill()
    sinker.kill()
    kill_and_restart(rabbitmq_service) if rabbitmq_service.running() else rabbitmq_service.start()
    rabbitmq_service.wait_ready()
    world.start()
    world.assert_each_stored_once()


def test_clickhouse_killed_and_restarted_under_load(world: SinkerWorld, clickhouse_service) -> None:
    """Case 8: kill -9 of ClickHouse; the sinker says that it is not ready, waits, and drains without a restart."""
    sinker = world.start(batch_rows=50)
    world.send(300)
    clickhouse_service.main.process().kill()
    try:
        world.send(300)
        wait_until(lambda: sinker.metric("sinker_retries_total") > 0)
        assert sinker.get("/livez").status_code == 200
        wait_until(lambda: sinker.get("/readyz").status_code == 503, what="not ready")
    finally:  # other tests use the same server
        clickhouse_service.start()
        clickhouse_service.wait_ready()
    world.assert_each_stored_once()
    assert sinker.ready()


def test_the_reply_to_a_successful_insert_is_lost(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 11: the retry sends the same block with the same token: one copy."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port)
    clickhouse_proxy.hold_replies()
    world.send(300)
    wait_until(lambda: world.rows() > 1)
    clickhouse_proxy.drop_held()
    world.assert_each_stored_once()
    assert sinker.metric("sinker_messages_redelivered_total") == 0, "the token did it, not the lookup"


def test_clickhouse_slower_than_the_heartbeat(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 9: RabbitMQ cuts a connection that misses heartbeats for 10 s here; the insert takes longer."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port)
    clickhouse_proxy.hold_replies()
    world.send(100)
    wait_until(lambda: world.rows() > 1)
    time.sleep(14)
    assert sinker.get("/livez").status_code == 200
    clickhouse_proxy.release()
    world.assert_each_stored_once()
    assert sinker.metric("sinker_rabbitmq_reconnects_total") == 0


def test_connection_to_rabbitmq_cut_again_and_again(world: SinkerWorld, rabbitmq_proxy: TcpProxy) -> None:
    """Case 6: the network cuts the connection every 0.7 seconds while batches are on their way."""
    sinker = world.start(rabbitmq_port=rabbitmq_proxy.port, batch_rows=50, prefetch=200)
    done = threading.Event()

    def cut() -> None:
        while not done.wait(0.7):
            rabbitmq_proxy.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    world.send(2000)
    done.set()
    cutter.join()
    world.assert_each_stored_once()
    wait_until(lambda: sinker.metric("sinker_rabbitmq_reconnects_total") > 0)


def test_half_open_connection_to_rabbitmq(world: SinkerWorld, rabbitmq_proxy: TcpProxy) -> None:
    """Case 6: nothing is closed and nothing arrives: only the heartbeat notices."""
    sinker = world.start(rabbitmq_port=rabbitmq_proxy.port)
    rabbitmq_proxy.hold_replies()
    rabbitmq_proxy.hold_requests()
    world.send(50)
    wait_until(lambda: not sinker.metric("sinker_rabbitmq_connected"), 30)
    rabbitmq_proxy.release()
    world.assert_each_stored_once()


def test_queue_deleted_under_the_sinker(world: SinkerWorld) -> None:
    """Case 24: the sinker declares it again. Declared by another with other arguments: test_broker_faults.py."""
    sinker = world.start()
    world.send(50)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 50)
    with world.connection() as connection:
        connection.channel().queue_delete("profile_log_events_q")
    wait_until(lambda: sinker.metric("sinker_subscriptions_lost_total") == 1)
    wait_until(sinker.ready)
    world.send(50)
    world.assert_each_stored_once()


def test_one_lost_subscription_leaves_the_others_alone(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 24: another queue has a batch in hand, whose messages must not come again."""
    world.serve("profile_log", "post_log")
    sinker = world.start(clickhouse_http_port=clickhouse_proxy.port)
    for event_type in ("profile_log", "post_log"):
        world.send(20, event_type)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 40)
    clickhouse_proxy.hold_replies()
    world.send(100, "post_log")
    wait_until(lambda: world.rows("post_log_events") == 120)
    with world.connection() as connection:
        connection.channel().queue_delete("profile_log_events_q")
    wait_until(lambda: sinker.metric("sinker_subscriptions_lost_total", queue="profile_log_events_q") == 1)
    clickhouse_proxy.release()
    wait_until(sinker.ready)
    for event_type in ("profile_log", "post_log"):
        world.send(20, event_type)
    world.assert_each_stored_once()
    assert sinker.messages().count("connected to RabbitMQ") == 1
    assert sinker.metric("sinker_messages_redelivered_total") == 0


def test_rabbitmq_hangs_while_queues_are_declared(world: SinkerWorld, rabbitmq_proxy: TcpProxy) -> None:
    """Case 6: noticed within seconds, however long the heartbeat; the process answers and obeys meanwhile."""
    rabbitmq_proxy.hold_when(b"\x00\x32\x00\x0a", "reply")  # 50, 10: queue.declare
    sinker = world.start(wait=False, rabbitmq_port=rabbitmq_proxy.port, rabbitmq_heartbeat_seconds=60)
    wait_until(lambda: rabbitmq_proxy.holding)
    begin = time.monotonic()
    while time.monotonic() < begin + 3:
        assert sinker.get("/livez").json()["loop_turned_seconds_ago"] < 2
        time.sleep(0.2)
    wait_until(lambda: "no connection to RabbitMQ, will be repeated" in sinker.messages(), 25)
    rabbitmq_proxy.release()
    wait_until(sinker.ready)
    rabbitmq_proxy.hold_when(b"\x00\x32\x00\x0a", "reply")
    rabbitmq_proxy.cut()
    wait_until(lambda: rabbitmq_proxy.holding)
    assert sinker.terminate(within=5) == 0


def test_clickhouse_hangs_while_the_sinker_starts(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 8: it accepts connections and answers nothing; the queues are subscribed all the same."""
    clickhouse_proxy.hold_replies()
    sinker = world.start(wait=False, clickhouse_http_port=clickhouse_proxy.port)
    wait_until(sinker.answers)
    wait_until(lambda: sinker.metric("sinker_rabbitmq_connected") == 1, 20)
    clickhouse_proxy.release()
    world.send(20)
    world.assert_each_stored_once()


def test_dead_letter_queue_deleted_under_the_sinker(world: SinkerWorld) -> None:
    """Case 16: it is declared again. Its exchange deleted, or the queue full: test_broker_faults.py."""
    world.start()
    with world.connection() as connection:
        connection.channel().queue_delete("profile_log_events_q.dead")
    world.publish([b"not json", profile_event()])
    world.assert_each_stored_once()
    wait_until(lambda: world.depth("profile_log_events_q") == 0)
    assert [headers["x-stir-dead-reason"] for headers, _, _ in world.dead()] == ["broken_json"]
