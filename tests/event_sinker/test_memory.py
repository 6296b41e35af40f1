"""Large messages: the memory budget at work in a real process."""

from __future__ import annotations

import psutil
import pytest

from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration

LARGE = {"bio": "x" * 400_000}


def test_large_messages_pause_the_queue_and_small_ones_end_that(world: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """ClickHouse hangs, 120 MB wait, and the process takes only what its budget allows."""
    sinker = world.start_and_store_one(
        clickhouse_http_port=clickhouse_proxy.port, memory_bytes=16 << 20, batch_rows=100, redelivery_settle_seconds=0
    )
    process = psutil.Process(sinker.process.pid)
    clickhouse_proxy.hold_replies()
    before = process.memory_info().rss
    world.publish(sample_event("profile_log", dimensions=LARGE) for _ in range(300))
    wait_until(lambda: sinker.metric("sinker_pauses_total") > 0, what="a pause")
    wait_until(lambda: world.depth("profile_log_events_q") > 200, what="the rest back in RabbitMQ")
    assert process.memory_info().rss - before < 80 << 20
    # The health check answers although ClickHouse does not.
    wait_until(lambda: sinker.get("/readyz").json()["clickhouse"] is False)
    assert sinker.get("/readyz").json()["subscribed"] == {"profile_log_events_q": True}, "a pause is no fault"

    clickhouse_proxy.release()
    world.assert_each_stored_once()
    pauses = sinker.metric("sinker_pauses_total")

    # RabbitMQ was asked for few messages at a time. With small ones it is asked for many again.
    world.send(3000)
    world.assert_each_stored_once()
    assert sinker.metric("sinker_pauses_total") == pauses
    largest = max(entry["rows"] for entry in sinker.log() if entry["message"] == "batch stored")
    assert largest >= 100


def test_a_message_larger_than_the_budget_is_stored_all_the_same(world: SinkerWorld) -> None:
    sinker = world.start(memory_bytes=1 << 20, max_message_bytes=4 << 20)
    world.publish(sample_event("profile_log", dimensions={"bio": "x" * 1_500_000}) for _ in range(5))
    world.send(20)
    world.assert_each_stored_once()
    assert sinker.metric("sinker_pauses_total") > 0
