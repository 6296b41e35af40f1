"""Counting confirmations: RabbitMQ sends them one by one or in ranges, and those of several queues in any order."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace

import pika
import pytest

from devstack.beat.broker import _Run
from devstack.beat.events import Message

pytestmark = pytest.mark.unit


class Broker:
    """Stands for connection and channel of a run: takes every message and closes when asked."""

    def __init__(self) -> None:
        self.taken, self.is_open = 0, True
        self.ioloop = SimpleNamespace(stop=lambda: None)

    def basic_publish(self, *_: object, **__: object) -> None:
        self.taken += 1

    def close(self) -> None:
        self.is_open = False


def confirmation(tag: int, multiple: bool) -> SimpleNamespace:
    return SimpleNamespace(method=pika.spec.Basic.Ack(tag, multiple))


@pytest.mark.parametrize("order", list(permutations([(2, True), (3, False), (4, False)])), ids=str)
def test_a_run_ends_when_all_is_confirmed_in_whatever_order(order: tuple[tuple[int, bool], ...]) -> None:
    broker, totals = Broker(), []
    run = _Run(iter([Message("key", b"{}")] * 4), totals.append)
    run._connection = run._channel = broker
    run._send()
    assert broker.taken == 4
    for tag, multiple in order:
        assert broker.is_open, "ended before everything was confirmed"
        run._settled(confirmation(tag, multiple))
    assert run.confirmed == totals[-1] == 4
    assert not broker.is_open
    assert run.error == ""
