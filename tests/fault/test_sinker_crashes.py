"""The sinker dies at the worst moments; the count at the end is the promise."""

from __future__ import annotations

import threading

import pytest

from tests.fault.sinker_process import SinkerWorld, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


def test_killed_before_the_insert(world: SinkerWorld) -> None:
    """Case 1: nothing is stored yet, all come again."""
    sinker = world.start(batch_seconds=600, batch_rows=5000)
    world.send(700)
    wait_until(lambda: sinker.metric("sinker_buffer_rows") == 700)
    sinker.kill()
    assert world.rows() == 0

    world.start()
    world.assert_each_stored_once()


def test_killed_after_the_insert_and_before_the_acknowledgement(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 2, 12: everything is stored and nothing acknowledged; the successor finds the ids in the table."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port)
    clickhouse_proxy.hold_replies()
    world.send(700)
    wait_until(lambda: world.rows() > 1, what="rows stored, reply held back")
    stored = world.rows()
    sinker.kill()

    second = world.start()
    world.assert_each_stored_once()
    wait_until(lambda: second.metric("sinker_duplicates_dropped_total") >= stored - 1, what="the stored ones dropped")


def test_killed_while_clickhouse_still_executes_the_insert(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 2: the request is complete but its last bytes reach ClickHouse only after the successor has subscribed."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port)
    clickhouse_proxy.hold_requests()
    world.send(300)
    wait_until(lambda: clickhouse_proxy.bytes_held["request"] > 0)
    sinker.kill()

    world.start(redelivery_settle_seconds=2)
    clickhouse_proxy.release()
    world.assert_each_stored_once()


def test_killed_while_it_repeats_a_block(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 3, as far as it applies: the first attempt was stored, its reply was lost, the repetition is refused."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port, batch_rows=50)
    clickhouse_proxy.hold_replies()
    world.send(200)
    wait_until(lambda: world.rows() > 1)
    clickhouse_proxy.refuse(True)
    clickhouse_proxy.drop_held()
    wait_until(lambda: sinker.metric("sinker_retries_total") > 1)
    stored = world.rows()
    sinker.kill()

    second = world.start()
    world.assert_each_stored_once()
    wait_until(lambda: second.metric("sinker_duplicates_dropped_total") == stored - 1, what="the stored ones dropped")


def test_killed_after_the_acknowledgement(world: SinkerWorld) -> None:
    """Case 4: there is nothing left to do."""
    sinker = world.start()
    world.send(300)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 300)
    sinker.kill()

    second = world.start()
    world.assert_each_stored_once()
    assert second.metric("sinker_messages_consumed_total") == 0


def test_killed_again_and_again_under_load(world: SinkerWorld) -> None:
    """Case 1, 2, 4 at moments that nobody chose."""
    for _ in range(4):
        sinker = world.start(batch_rows=100, prefetch=400)
        world.send(600)
        sinker.kill()
    world.start()
    world.assert_each_stored_once()


def test_two_sinkers_on_one_queue_and_one_dies(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 12, 26: the survivor gets what the dead one held, part of it stored, and stores the rest."""
    dying = world.start(clickhouse_http_port=clickhouse_proxy.port, batch_rows=50, prefetch=200)
    other = world.start(batch_rows=50, prefetch=200)
    world.send(500)
    wait_until(lambda: world.rows() == 500)
    clickhouse_proxy.hold_replies()
    world.send(500)
    wait_until(lambda: clickhouse_proxy.bytes_held["reply"] > 0, what="an insert whose reply is held back")
    dying.kill()
    world.send(200)

    world.assert_each_stored_once()
    wait_until(lambda: other.metric("sinker_duplicates_dropped_total") > 0)
    assert dying.process.returncode == -9


def test_sigterm_under_load_drains_and_exits_0(world: SinkerWorld) -> None:
    """Case 22: events go on arriving; what the sinker took is stored and acknowledged, the rest is still queued."""
    sinker = world.start(batch_seconds=600, batch_rows=5000)
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            world.send(50)

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        wait_until(lambda: sinker.metric("sinker_buffer_rows") > 300)
        assert sinker.terminate() == 0
    finally:
        done.set()
        publisher.join()
    assert world.rows() > 300
    wait_until(lambda: world.rows() + world.depth("profile_log_events_q") == len(world.sent))

    world.start()
    world.assert_each_stored_once()


def test_sigterm_while_it_subscribes_takes_no_more(
    world: SinkerWorld, rabbitmq_proxy: TcpProxy, clickhouse_proxy: TcpProxy
) -> None:
    """Case 22: it still writes a batch of another queue when the subscription to a full one is confirmed."""
    world.serve("profile_log", "post_log")
    ports = {"rabbitmq_port": rabbitmq_proxy.port, "clickhouse_http_port": clickhouse_proxy.port}
    sinker = world.start(batch_rows=50, prefetch=100, **ports)
    world.send(20, "post_log")
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 20)
    clickhouse_proxy.hold_replies()
    world.send(20, "post_log")
    wait_until(lambda: world.rows("post_log_events") == 40)
    rabbitmq_proxy.hold_when(b"\x00\x3c\x00\x14", "reply")  # 60, 20: basic.consume
    with world.connection() as connection:
        connection.channel().queue_delete("profile_log_events_q")
    wait_until(lambda: rabbitmq_proxy.holding, what="it subscribes again")
    world.send(3000)
    wait_until(lambda: world.depth("profile_log_events_q") == 2900, what="the prefetch is on its way")
    sinker.process.terminate()
    wait_until(lambda: "draining" in sinker.messages())
    rabbitmq_proxy.release()
    wait_until(lambda: world.depth("profile_log_events_q") == 3000, 15, "it is back")
    clickhouse_proxy.release()
    assert sinker.process.wait(20) == 0
    assert (world.rows(), world.rows("post_log_events")) == (0, 40)
    world.start()
    world.assert_each_stored_once()


def test_sigterm_while_clickhouse_is_away_ends_after_the_grace_period(
    world: SinkerWorld, clickhouse_proxy: TcpProxy
) -> None:
    """Case 22: what cannot be stored in time goes back to RabbitMQ."""
    sinker = world.start(clickhouse_http_port=clickhouse_proxy.port, shutdown_grace_seconds=2)
    clickhouse_proxy.refuse(True)
    world.send(200)
    wait_until(lambda: sinker.metric("sinker_retries_total") > 0)
    assert sinker.terminate(within=10) == 0
    assert "grace period over: messages that are not stored return to RabbitMQ" in sinker.messages()

    world.start()
    world.assert_each_stored_once()


def test_a_second_sigterm_stops_at_once(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 22: in the middle of an insert whose outcome is unknown."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port, shutdown_grace_seconds=60)
    clickhouse_proxy.hold_replies()
    world.send(200)
    wait_until(lambda: sinker.metric("sinker_in_flight_rows") > 0)
    sinker.process.terminate()
    wait_until(lambda: "draining" in sinker.messages())
    assert sinker.terminate(within=3) == 143

    world.start()
    world.assert_each_stored_once()
