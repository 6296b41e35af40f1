"""A bit flips between the sinker and a server. What a checksum or a frame can show must be seen and mended.

A flipped bit inside a text of a message is beyond this: AMQP carries no checksum, and the text is as good as another.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration

LZ4_FRAME = b"\x04\x22\x4d\x18"
FRAME_END = b"\xce"


def after(mark: bytes, distance: int) -> Callable[[bytes], int | None]:
    """The position so many bytes after a mark, in data that holds both."""

    def where(data: bytes) -> int | None:
        found = data.find(mark)
        return found + distance if found >= 0 and found + distance < len(data) else None

    return where


@pytest.mark.parametrize("text", [b"INSTAGRAM", LZ4_FRAME], ids=["in-a-value", "in-the-frame-header"])
def test_damage_on_the_way_to_clickhouse(world: SinkerWorld, clickhouse_proxy: TcpProxy, text: bytes) -> None:
    """The compressed block carries a checksum, so ClickHouse refuses it and the sinker sends it again."""
    sinker = world.start_and_store_one(clickhouse_http_port=clickhouse_proxy.port)
    clickhouse_proxy.corrupt("request", after(text, 3))
    world.send(100)
    wait_until(lambda: clickhouse_proxy.corrupted)
    world.assert_each_stored_once()
    assert world.query("SELECT DISTINCT platform FROM DB.profile_log_events") == [("INSTAGRAM",)]
    assert sinker.metric("sinker_retries_total") > 0
    assert world.dead() == []


@pytest.mark.parametrize(
    ("direction", "where"),
    [
        pytest.param("reply", after(b"}" + FRAME_END, 1), id="from-rabbitmq-frame-end"),
        pytest.param("reply", after(FRAME_END + b"\x02\x00\x01", 1), id="from-rabbitmq-frame-type"),
        # 64 KiB more than there are: what follows is swallowed until the end is not where it should be
        pytest.param("reply", after(FRAME_END + b"\x02\x00\x01", 5), id="from-rabbitmq-frame-size"),
        # 60, 80: basic.ack; its tag of 8 bytes and a byte of flags lie before the end of the frame
        pytest.param("request", after(b"\x00\x3c\x00\x50", 13), id="to-rabbitmq-frame-end"),
    ],
)
def test_damaged_frames_of_rabbitmq(
    world: SinkerWorld, rabbitmq_proxy: TcpProxy, direction: str, where: Callable[[bytes], int | None]
) -> None:
    """A frame that ends or begins wrongly costs the connection and nothing else."""
    sinker = world.start(rabbitmq_port=rabbitmq_proxy.port)
    rabbitmq_proxy.corrupt(direction, where)
    world.send(300)
    wait_until(lambda: rabbitmq_proxy.corrupted)
    wait_until(lambda: sinker.metric("sinker_rabbitmq_reconnects_total") > 0)
    world.send(50)
    world.assert_each_stored_once()
    assert world.dead() == []


def test_a_message_that_arrives_damaged_is_set_aside_and_its_neighbours_are_stored(
    world: SinkerWorld, rabbitmq_proxy: TcpProxy
) -> None:
    """JSON that no longer is JSON becomes a dead letter, never a row."""
    world.start(rabbitmq_port=rabbitmq_proxy.port)
    rabbitmq_proxy.corrupt("reply", after(b'{"event_id": "damaged', 0))
    world.send(50)
    world.publish([profile_event(event_id="damaged-on-its-way")])
    world.send(50)
    world.assert_each_stored_once(dead=["damaged-on-its-way"])
    ((headers, body, _),) = world.dead()
    assert headers["x-stir-dead-reason"] == "broken_json"
    assert b"damaged-on-its-way" in body
