"""Dead letters for tests of `dlq`: put into their queue, and read there without the code under test."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pika

from event_sinker import topology
from event_sinker.batch import Message
from event_sinker.dead_letters import DeadLetter, properties_of
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Poison, Reason
from tests.fault.sinker_process import SinkerWorld, id_key, wait_until

QUEUE = "profile_log_events_q"
DEAD_QUEUE = EVENT_TYPES["profile_log"].dead_queue

EVERY_HEADER = {
    "text": 'é "quoted"',
    "bytes": b"\xff\x00",
    "yes": True,
    "small": -3,
    "large": -(1 << 62),
    "decimal": Decimal("-12.345"),
    "time": datetime(2026, 1, 5, 8, 0, tzinfo=UTC),
    "table": {"inner": {"list": [1, "two", None, b"\xfe"]}},
    "nothing": None,
}
"""A header of every kind that RabbitMQ keeps."""


def bury(
    world: SinkerWorld,
    bodies: Iterable[bytes | dict[str, Any]],
    reason: Reason = Reason.WRONG_TYPE,
    event_type: str = "profile_log",
    properties: pika.BasicProperties | None = None,
    age: timedelta = timedelta(0),
) -> None:
    """Put messages into the dead-letter queue, as a sinker does; those with an id count as sent."""
    event = EVENT_TYPES[event_type]
    *most, last = bodies
    with world.connection() as connection:
        channel = connection.channel()

        def publish(body: bytes | dict[str, Any]) -> None:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            kept = properties or pika.BasicProperties(content_type="application/json")
            message = Message(data, 0, False, kept, 0.0, event.exchange, event.routing_key)
            letter = DeadLetter(message, Poison(reason, f"was {reason.value}", "handle"))
            dead_properties = properties_of(letter, event, datetime.now(UTC) - age)
            channel.basic_publish(topology.DEAD_EXCHANGE, event.queue, data, dead_properties, mandatory=True)
            if isinstance(body, dict) and id_key(event_type) in body:
                world.sent.append(body[id_key(event_type)])

        for body in most:
            publish(body)
        channel.confirm_delivery()  # a queue takes the messages of one channel in their order: the last stands for all
        publish(last)


def reject_one(
    world: SinkerWorld,
    body: bytes,
    properties: pika.BasicProperties | None = None,
    event_type: str = "profile_log",
    queue: str = QUEUE,
) -> None:
    """Another consumer of the event queue rejects a message: RabbitMQ itself moves it to the dead letters."""
    world.publish([body], event_type, properties)
    dead = world.depth(f"{queue}.dead")
    with world.connection() as connection:
        channel = connection.channel()
        method, _, _ = channel.basic_get(queue)
        channel.basic_reject(method.delivery_tag, requeue=False)
        wait_until(lambda: world.depth(f"{queue}.dead") == dead + 1)


def raw_letters(world: SinkerWorld, event_type: str = "profile_log") -> list[tuple[bytes, dict[str, Any]]]:
    """Bodies and headers as they lie in the queue, in its order; they stay. RabbitMQ's own counter is left out."""
    letters = []
    with world.connection() as connection:
        channel = connection.channel()
        queue = EVENT_TYPES[event_type].dead_queue
        count = channel.queue_declare(queue, passive=True).method.message_count
        channel.basic_qos(prefetch_count=max(1, count))
        channel.basic_consume(queue, lambda _channel, _method, properties, body: letters.append((body, properties)))
        deadline = time.monotonic() + 30
        while len(letters) < count:
            connection.process_data_events(time_limit=1)
            assert time.monotonic() < deadline, f"{len(letters)} of {count} letters"
    return [
        (body, {name: value for name, value in (properties.headers or {}).items() if name != "x-delivery-count"})
        for body, properties in letters
    ]


def bodies(world: SinkerWorld) -> list[bytes]:
    """The bodies of `raw_letters`."""
    return [body for body, _ in raw_letters(world)]
