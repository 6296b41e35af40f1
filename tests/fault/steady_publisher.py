"""A publisher that goes on through every outage and knows exactly what it may expect."""

from __future__ import annotations

import json
import random
import threading
import time

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from event_sinker.events import EVENT_TYPES
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, id_key


class SteadyPublisher:
    """Publishes events of some types, one by one with confirms, until the end of the `with` block.

    - `confirmed`: ids that RabbitMQ has confirmed. Each must be stored, once.
    - `uncertain`: ids whose confirmation was lost. RabbitMQ may have them or not, so they may be stored once or not at
      all. They are never sent again: a second send of the same event would be the publisher's own duplicate.
    - `poison`: the same two for bodies that can never be stored.
    """

    def __init__(
        self, world: SinkerWorld, event_types: tuple[str, ...], per_second: float, poison_share: float
    ) -> None:
        self.confirmed: set[str] = set()
        self.uncertain: set[str] = set()
        self.poison: dict[str, set[bytes]] = {"confirmed": set(), "uncertain": set()}
        self._world = world
        self._event_types = event_types
        self._pause = 1 / per_second
        self._poison_share = poison_share
        self._random = random.Random(1)  # noqa: S311 -- a mixture, no secret
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def __enter__(self) -> SteadyPublisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the publisher hangs"

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                with self._world.connection() as connection:
                    channel = connection.channel()
                    channel.confirm_delivery()
                    self._publish(channel)
            except (AMQPError, OSError):
                self._done.wait(0.3)

    def _publish(self, channel: BlockingChannel) -> None:
        due = time.monotonic()
        while not self._done.is_set():
            name = self._random.choice(self._event_types)
            if self._random.random() < self._poison_share:
                body = json.dumps({"poison": self._random.getrandbits(64)}).encode()
                self._send(channel, name, body, body, self.poison["confirmed"], self.poison["uncertain"])
            else:
                event = sample_event(name)
                body = json.dumps(event).encode()
                self._send(channel, name, body, event[id_key(name)], self.confirmed, self.uncertain)
            due = max(due + self._pause, time.monotonic() - 1)
            self._done.wait(max(0.0, due - time.monotonic()))

    @staticmethod
    def _send(channel: BlockingChannel, name: str, body: bytes, key, confirmed: set, uncertain: set) -> None:
        event = EVENT_TYPES[name]
        uncertain.add(key)
        properties = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish(event.exchange, event.routing_key, body, properties, mandatory=True)
        uncertain.remove(key)
        confirmed.add(key)
