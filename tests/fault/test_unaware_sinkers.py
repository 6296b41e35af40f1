"""A sinker does not know yet that RabbitMQ gave its messages to another one: what it inserts now is a second copy."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest

from tests.event_sinker.dead_letters import DEAD_QUEUE, bury
from tests.event_sinker.dlq_command import run_dlq
from tests.fault.clickhouse_faults import ClickHouseFaults
from tests.fault.dlq_process import start_dlq
from tests.fault.sinker_process import SinkerProcess, SinkerWorld, profile_event, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


def repeats_a_block(world: SinkerWorld, to_clickhouse: TcpProxy, **changes: object) -> SinkerProcess:
    """A sinker that has 200 events in hand and cannot insert them."""
    sinker = world.start_and_store_one(clickhouse_http_port=to_clickhouse.port, retry_max_seconds=0.2, **changes)
    to_clickhouse.refuse(True)
    world.send(200)
    wait_until(lambda: sinker.metric("sinker_retries_total") > 2)
    return sinker


def right_after_a_look(sinker: SinkerProcess) -> bool:
    """pika looks for silence every 10 s here, counted from its start; after a look it is unaware for longest."""
    connected = next(entry["time"] for entry in sinker.log() if entry["message"] == "connected to RabbitMQ")
    return 0.5 < (datetime.now(UTC) - datetime.fromisoformat(connected)).total_seconds() % 10 < 2


def test_suspended_while_another_one_gets_its_messages(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 12: it wakes up in front of an insert, and the end of its connection is still to be read."""
    sinker = repeats_a_block(world, clickhouse_proxy)
    sinker.process.send_signal(signal.SIGSTOP)
    world.start()
    wait_until(lambda: world.rows() == 201, what="the other one has stored all")
    clickhouse_proxy.refuse(False)
    sinker.process.send_signal(signal.SIGCONT)
    wait_until(sinker.ready)
    world.assert_each_stored_once()
    wait_until(lambda: sinker.metric("sinker_batches_abandoned_total") == 1)


def test_cut_off_from_rabbitmq_while_another_one_gets_its_messages(
    world: SinkerWorld, clickhouse_proxy: TcpProxy, rabbitmq_proxy: TcpProxy
) -> None:
    """Case 6, 12: RabbitMQ has noticed the half-open connection, this sinker has not, and ClickHouse comes back."""
    sinker = repeats_a_block(world, clickhouse_proxy, rabbitmq_port=rabbitmq_proxy.port)
    other = world.start()
    wait_until(lambda: right_after_a_look(sinker))
    rabbitmq_proxy.hold_requests()
    rabbitmq_proxy.hold_replies()
    wait_until(lambda: world.rows() == 201, what="the other one has stored all")
    clickhouse_proxy.refuse(False)
    wait_until(lambda: sinker.metric("sinker_batches_abandoned_total") == 1)
    rabbitmq_proxy.release()
    wait_until(sinker.ready)
    world.send(50)
    world.assert_each_stored_once()
    wait_until(lambda: other.metric("sinker_messages_redelivered_total") >= 200)


def test_a_replay_cut_off_from_rabbitmq(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults, rabbitmq_proxy: TcpProxy
) -> None:
    """Case 27: RabbitMQ has ended its lock and given its letters back; a second replay stores them."""
    bury(world, [profile_event() for _ in range(100)])
    clickhouse_faults.answer(241, times=10_000)
    through = {"clickhouse_http_port": clickhouse_faults.port, "rabbitmq_port": rabbitmq_proxy.port}
    first = start_dlq(world, "replay", "profile_log", retry_max_seconds=0.2, **through)
    wait_until(lambda: len(clickhouse_faults.tokens) > 3, what="it repeats a block")
    rabbitmq_proxy.hold_requests()
    rabbitmq_proxy.hold_replies()
    wait_until(lambda: world.depth(DEAD_QUEUE) == 100, what="RabbitMQ gives it up")
    assert "replayed 100" in run_dlq(world, "replay", "profile_log").stdout
    clickhouse_faults.mend()
    _, err = first.communicate(timeout=60)
    assert first.returncode == 3, err
    world.assert_each_stored_once()
