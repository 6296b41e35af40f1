"""When a batch is taken, with a clock that the test moves."""

from __future__ import annotations

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_sinker.batch import Buffer, Message, Triggers

pytestmark = pytest.mark.unit


def triggers(**changes: float) -> Triggers:
    values = {"rows": 10, "bytes": 1000, "seconds": 60, "interval": 1, "max_rows": 50, "max_bytes": 5000}
    return Triggers(**(values | changes))


def message(now: float, size: int = 10, tag: int = 1) -> Message:
    return Message(b"x" * size, tag, False, pika.BasicProperties(), now)


def filled(count: int, now: float = 0.0, size: int = 10, **changes: float) -> Buffer:
    buffer = Buffer(triggers(**changes))
    for tag in range(1, count + 1):
        buffer.add(message(now, size, tag))
    return buffer


def test_rows_trigger() -> None:
    assert not filled(9).due(0)
    assert filled(10).due(0)


def test_bytes_trigger() -> None:
    assert not filled(1, size=999).due(0)
    assert filled(1, size=1000).due(0)


def test_time_trigger_counts_from_the_oldest_message() -> None:
    buffer = filled(1, now=100)
    buffer.add(message(159))
    assert not buffer.due(159.9)
    assert buffer.due(160)
    assert Buffer(triggers()).due(1e9) is False, "nothing waits, nothing is due"


def test_interval_keeps_inserts_apart_until_the_buffer_is_full() -> None:
    buffer = filled(10)
    buffer.take(now=0)
    for _ in range(49):
        buffer.add(message(0.5))
    assert not buffer.due(0.99), "rows reached, but the last insert was just now"
    assert buffer.due(1.0)
    buffer.add(message(0.6))
    assert buffer.due(0.6), "max_rows does not wait"


def test_a_batch_grew_while_the_previous_was_written_and_is_taken_whole() -> None:
    buffer = filled(45)
    assert len(buffer.take(now=0)) == 45


def test_a_batch_is_limited_and_the_rest_keeps_its_age() -> None:
    buffer = filled(50, now=0)
    buffer.add(message(30))
    assert len(buffer.take(now=40)) == 50
    assert (len(buffer), buffer.bytes, buffer.age(40)) == (1, 10, 10)


def test_one_message_larger_than_the_limit_is_taken_alone() -> None:
    buffer = filled(2, size=9000)
    assert len(buffer.take(now=0)) == 1


def test_clear_forgets_all() -> None:
    buffer = filled(20)
    buffer.clear()
    assert (len(buffer), buffer.bytes, buffer.due(1e9)) == (0, 0, False)


@given(st.lists(st.integers(min_value=0, max_value=3000), max_size=200))
def test_batches_are_the_messages_in_order(sizes: list[int]) -> None:
    """Whatever the sizes: batches within limits, together exactly the messages, in the order of delivery."""
    buffer = Buffer(triggers())
    for tag, size in enumerate(sizes):
        buffer.add(message(0, size, tag))
    tags = []
    while len(buffer):
        batch = buffer.take(now=0)
        assert 1 <= len(batch) <= 50
        assert len(batch) == 1 or sum(len(each.body) for each in batch) <= 5000
        tags += [each.tag for each in batch]
    assert tags == list(range(len(sizes)))
    assert buffer.bytes == 0
