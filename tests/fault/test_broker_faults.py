"""RabbitMQ refuses, times out or changes under a running sinker."""

from __future__ import annotations

import json

import pytest

from event_sinker.topology import DEAD_EXCHANGE
from tests.fault.broker_control import BrokerControl
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration

QUEUE = "profile_log_events_q"


def numbered_poison(first: int, count: int) -> list[bytes]:
    return [b"poison %d" % number for number in range(first, first + count)]


def test_memory_alarm_of_the_broker(world: SinkerWorld, broker_control: BrokerControl) -> None:
    """Case 7: connections that publish are blocked. Good events are stored, poison is moved when the alarm ends."""
    poison = numbered_poison(0, 3)
    world.send(30)
    world.publish(poison)
    world.send(30)
    with broker_control.memory_alarm():
        sinker = world.start()
        wait_until(lambda: world.rows() == 60, what="good events stored during the alarm")
        assert world.depth(f"{QUEUE}.dead") == 0
        assert sinker.metric("sinker_messages_acknowledged_total") == 0
        assert sinker.get("/livez").status_code == 200
    world.assert_each_stored_once()
    assert [body for _, body, _ in world.dead()] == poison


def test_dead_letter_exchange_deleted_under_the_sinker(world: SinkerWorld) -> None:
    """Case 16: it is declared again, with its binding."""
    world.start()
    with world.connection() as connection:
        connection.channel().exchange_delete(DEAD_EXCHANGE)
    world.publish([b"not json", profile_event()])
    world.assert_each_stored_once()
    assert [body for _, body, _ in world.dead()] == [b"not json"]


def test_dead_letter_queue_full(world: SinkerWorld, broker_control: BrokerControl) -> None:
    """Case 16: poison waits for room and holds up its own queue; a crash meanwhile loses and doubles nothing."""
    poison = numbered_poison(0, 12)
    dead = []
    with broker_control.queue_full_at(world.settings.rabbitmq_vhost, f"{QUEUE}.dead", 3):
        sinker = world.start()
        world.send(20)
        world.publish(poison)
        world.send(20)
        wait_until(lambda: sinker.metric("sinker_retries_total", target="dead letter") >= 2)
        readiness = sinker.get("/readyz")
        assert readiness.status_code == 503
        assert readiness.json()["stores"] == {QUEUE: False}
        assert f"{QUEUE}.dead: RabbitMQ takes no more" in readiness.json()["reasons"][QUEUE]
        world.send(20)
        wait_until(lambda: sinker.metric("sinker_buffer_rows") + sinker.metric("sinker_in_flight_rows") >= 20)
        sinker.kill()

        second = world.start()
        wait_until(lambda: second.metric("sinker_retries_total", target="dead letter") >= 2)
        dead += world.dead()
        wait_until(lambda: world.depth(f"{QUEUE}.dead") > 0, what="poison moves as soon as there is room")
    world.assert_each_stored_once()
    assert second.get("/readyz").json()["reasons"] == {}
    dead += world.dead()
    assert {body for _, body, _ in dead} == set(poison)


@pytest.mark.parametrize("stored", [False, True], ids=["clickhouse-away", "clickhouse-slow"])
def test_consumer_timeout_of_the_broker(
    world: SinkerWorld, broker_control: BrokerControl, clickhouse_proxy: TcpProxy, stored: bool
) -> None:
    """Case 23: ClickHouse takes longer than the broker waits for an acknowledgement (30 minutes, here 2 seconds)."""
    with broker_control.consumer_timeout(2000):
        sinker = world.start(clickhouse_http_port=clickhouse_proxy.port)
        clickhouse_proxy.hold_replies() if stored else clickhouse_proxy.refuse(True)
        world.send(100)
        wait_until(lambda: sinker.metric("sinker_subscriptions_lost_total") > 0, what="the broker to lose patience")
        clickhouse_proxy.release()
        clickhouse_proxy.refuse(False)
        world.assert_each_stored_once()
    lost = [entry["reason"] for entry in sinker.log() if entry["message"] == "subscription lost, will be renewed"]
    assert "delivery acknowledgement" in lost[0]
    assert sinker.metric("sinker_rabbitmq_reconnects_total") == 0


def test_queue_declared_anew_with_other_arguments(world: SinkerWorld) -> None:
    """Case 24: the sinker stops and says how to migrate; doing what it says loses nothing."""
    sinker = world.start()
    world.send(50)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 50)
    with world.connection() as connection:
        channel = connection.channel()
        channel.queue_delete(QUEUE)
        channel.queue_declare(QUEUE, durable=True)
        channel.queue_bind(QUEUE, "beat.dx", "profile_log_events")
    assert sinker.process.wait(30) == 3
    last = sinker.messages()[-1]
    assert QUEUE in last
    assert "To migrate" in last

    world.send(50)
    with world.connection() as connection:
        channel = connection.channel()
        channel.queue_declare("migration", durable=True)
        channel.queue_bind("migration", "beat.dx", "profile_log_events")
        channel.queue_unbind(QUEUE, "beat.dx", "profile_log_events")
        move_all(channel, QUEUE, "migration")
        channel.queue_delete(QUEUE)
    world.send(50)
    second = world.start()
    world.send(50)  # into both queues
    wait_until(lambda: second.metric("sinker_messages_acknowledged_total") == 50)
    with world.connection() as connection:
        channel = connection.channel()
        move_all(channel, "migration", QUEUE)
        channel.queue_delete("migration")
    world.assert_each_stored_once()


def move_all(channel, source: str, target: str) -> None:
    """What a shovel does."""
    while True:
        method, properties, body = channel.basic_get(source)
        if method is None:
            return
        assert json.loads(body)["event_id"]
        channel.basic_publish("", target, body, properties)
        channel.basic_ack(method.delivery_tag)
