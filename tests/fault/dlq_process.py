"""What tests of `dlq` share: dead letters as the sinker makes them, its commands as processes, a proxy for inserts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pika

from event_sinker import topology
from event_sinker.batch import Message
from event_sinker.dead_letters import DeadLetter, properties_of
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Poison, Reason
from tests.fault.sinker_process import REPOSITORY, SinkerWorld, id_key
from tests.fault.tcp_proxy import TcpProxy

_INSERT = re.compile(rb"INSERT(\+|%20| )INTO")


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
    with world.connection() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            kept = properties or pika.BasicProperties(content_type="application/json")
            message = Message(data, 0, False, kept, 0.0, event.exchange, event.routing_key)
            letter = DeadLetter(message, Poison(reason, f"was {reason.value}", "handle"))
            dead_properties = properties_of(letter, event, datetime.now(UTC) - age)
            channel.basic_publish(topology.DEAD_EXCHANGE, event.queue, data, dead_properties, mandatory=True)
            if isinstance(body, dict) and id_key(event_type) in body:
                world.sent.append(body[id_key(event_type)])


def start_dlq(
    world: SinkerWorld, *arguments: str, stdin: int = subprocess.DEVNULL, **changes: object
) -> subprocess.Popen[str]:
    """Start `dlq` with these arguments; `changes` are settings by name, or other variables in capitals."""
    values = world.settings.model_dump(exclude_unset=True) | changes
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SINKER_")}
    for name, value in values.items():
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        variable = name if name.isupper() else f"SINKER_{name.upper()}"
        environment[variable] = ",".join(text) if isinstance(text, tuple) else str(text)
    return subprocess.Popen(
        [sys.executable, "-m", "event_sinker", "dlq", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_dlq(world: SinkerWorld, *arguments: str, **changes: object) -> subprocess.CompletedProcess[str]:
    """Run `dlq` to its end."""
    process = start_dlq(world, *arguments, **changes)
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


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


class InsertProxy(TcpProxy):
    """A proxy to ClickHouse that starts to hold when the next insert passes: its reply, or the insert itself."""

    def __init__(self, server_port: int) -> None:
        super().__init__(server_port)
        self._hold_next = ""

    def hold_next_insert(self, direction: str) -> None:
        """`direction`: "request" or "reply"."""
        self._hold_next = direction

    def _forward(self, source, target, direction: str) -> None:
        super()._forward(_Watched(source, self) if direction == "request" else source, target, direction)

    def passes(self, data: bytes) -> None:
        if self._hold_next and _INSERT.search(data):
            self._hold(self._hold_next)
            self._hold_next = ""


class _Watched:
    def __init__(self, source, proxy: InsertProxy) -> None:
        self._source = source
        self._proxy = proxy

    def recv(self, size: int) -> bytes:
        data = self._source.recv(size)
        self._proxy.passes(data)
        return data
