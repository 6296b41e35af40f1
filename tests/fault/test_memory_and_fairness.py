"""ClickHouse takes nothing while everything arrives: memory is bounded, and no queue suffers for another's table."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from event_sinker.events import EVENT_TYPES
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration

TYPES = ("profile_log", "post_log", "post_activity_log")


@pytest.fixture
def large(world: SinkerWorld) -> SinkerWorld:
    """A world of three event types."""
    world.serve(*TYPES)
    return world


def large_events(event_type: str, count: int, smallest: int, largest: int) -> Iterator[dict[str, object]]:
    """Events whose bodies are so many bytes, hardly compressible."""
    sizes = random.Random(event_type)  # noqa: S311 -- the same sizes in each run
    for _ in range(count):
        text = sizes.randbytes(sizes.randint(smallest, largest) // 2).hex()
        yield sample_event(event_type, dimensions={"text": text})


def test_memory_is_bounded_while_clickhouse_is_away(large: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 8: 100 MB wait in three queues. The sinker holds what its memory allows, and drains without a restart.

    An insert takes a few times the size of its batch (rows, columns, the block, the compressed block), in each of three
    queues: so the bound lies above the setting. What must not happen is that memory grows with time or traffic.
    """
    world = large
    for event_type in TYPES:
        world.publish(large_events(event_type, 300, 20_000, 200_000), event_type)
    sinker = world.start(
        clickhouse_http_port=clickhouse_proxy.port,
        memory_bytes=20 << 20,
        batch_bytes=2 << 20,
        batch_max_bytes=4 << 20,
        retry_max_seconds=0.2,
    )
    bound = sinker.peak_memory() + (120 << 20)
    clickhouse_proxy.refuse(True)
    wait_until(lambda: sinker.metric("sinker_pauses_total") >= 2, what="queues paused")
    # Each attempt builds the block anew.
    before = sinker.metric("sinker_retries_total")
    wait_until(lambda: sinker.metric("sinker_retries_total") >= before + 60)
    held = sum(sinker.metric(name) for name in ("sinker_buffer_rows", "sinker_in_flight_rows"))
    assert 0 < held < 400, "most messages wait in RabbitMQ"
    assert sinker.peak_memory() < bound, f"{sinker.peak_memory() - bound:,} bytes too many while ClickHouse is away"

    clickhouse_proxy.refuse(False)
    world.assert_each_stored_once()
    assert sinker.peak_memory() < bound, f"{sinker.peak_memory() - bound:,} bytes too many after draining"


LONG_TEXT_IN = {"scrape_request_log": "params", "trace_log": "requestBody", "launch_refer": "deepLink"} | dict.fromkeys(
    ("profile_relationship_log", "yt_profile_relationship_log"), "source_dimensions"
)


def mixed_events(event_type: str, count: int) -> Iterator[dict[str, object]]:
    """Nine events of usual size to one of up to 200 kB."""
    key = LONG_TEXT_IN.get(event_type, "dimensions")
    sizes = random.Random(event_type)  # noqa: S311 -- the same sizes in each run
    for number in range(count):
        text = sizes.randbytes(sizes.randint(200, 600) if number % 10 else sizes.randint(10_000, 100_000)).hex()
        yield sample_event(event_type, **{key: text if key in {"requestBody", "deepLink"} else {"text": text}})


@pytest.mark.parametrize("clickhouse", ["away", "silent"])
def test_every_queue_at_once_takes_less_than_256_mb(
    world: SinkerWorld, clickhouse_proxy: TcpProxy, clickhouse: str
) -> None:
    """Case 8, with the settings as they come: all event types, 130 MB of messages, ClickHouse refuses or hangs."""
    world.serve(*EVENT_TYPES)
    for event_type in EVENT_TYPES:
        world.publish(mixed_events(event_type, 1000), event_type)
    sinker = world.start(
        clickhouse_http_port=clickhouse_proxy.port, insert_timeout_seconds=4, retry_max_seconds=0.2, batch_seconds=1
    )
    if clickhouse == "away":
        clickhouse_proxy.refuse(True)
    else:
        clickhouse_proxy.hold_replies()
    # Each attempt builds the block anew.
    before = sinker.metric("sinker_retries_total")
    wait_until(lambda: sinker.metric("sinker_retries_total") >= before + 60, seconds=120)
    assert sinker.peak_memory() < 256 << 20, "while ClickHouse takes nothing"
    clickhouse_proxy.refuse(False)
    clickhouse_proxy.drop_held()
    world.assert_each_stored_once(120)
    assert sinker.peak_memory() < 256 << 20, "after draining"


def test_a_table_that_refuses_rows_starves_no_other_queue(large: SinkerWorld) -> None:
    """Case 8: one table has too many parts and its queue fills the memory; the other queues go on."""
    world = large
    sinker = world.start(memory_bytes=10 << 20)
    for event_type in TYPES:
        world.send(1, event_type)
    wait_until(lambda: all(world.rows(EVENT_TYPES[name].table) == 1 for name in TYPES))
    table = f"{world.settings.clickhouse_database}.post_log_events"
    world.client.command(f"ALTER TABLE {table} MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    world.publish(large_events("post_log", 300, 50_000, 100_000), "post_log")
    wait_until(lambda: sinker.metric("sinker_pauses_total", queue="post_log_events_q") > 0)

    for _ in range(3):
        for event_type in ("profile_log", "post_activity_log"):
            world.publish(large_events(event_type, 50, 20_000, 60_000), event_type)
    wait_until(lambda: world.rows("profile_log_events") == world.rows("post_activity_log_events") == 151)
    assert world.rows("post_log_events") == 1
    assert sinker.get("/readyz").json()["stores"] == {
        "profile_log_events_q": True,
        "post_log_events_q": False,
        "post_activity_log_events_q": True,
    }
    world.client.command(f"ALTER TABLE {table} RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
    world.assert_each_stored_once()
