"""When waiting messages become a batch.

Pure bookkeeping: the caller passes the monotonic time, so that a wall clock that jumps changes nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from pika import BasicProperties

# What a message takes beside its body until it is acknowledged: tag, properties, bookkeeping, and its row.
_OVERHEAD_BYTES = 900


class Message(NamedTuple):
    """A delivery that is not acknowledged yet; `received` is monotonic seconds."""

    body: bytes
    tag: int
    redelivered: bool
    properties: BasicProperties
    received: float
    exchange: str = ""
    routing_key: str = ""
    cost: int = 0


def cost_of(body: bytes, properties: BasicProperties) -> int:
    """Bytes of memory that a message takes: twice its body (the message and its row), its headers, the overhead."""
    headers = properties.headers
    return 2 * len(body) + _OVERHEAD_BYTES + (len(repr(headers)) if headers else 0)


@dataclass(frozen=True)
class Triggers:
    """When to flush: rows, bytes of bodies, or seconds since the oldest message arrived.

    The rows and bytes triggers keep `interval` seconds between two flushes, so that ClickHouse sees few large inserts
    however fast they are; a buffer that reached `max_rows` or `max_bytes` (also the most that one batch holds) does
    not wait.
    """

    rows: int
    bytes: int
    seconds: float
    interval: float
    max_rows: int
    max_bytes: int


class Buffer:
    """The messages of one queue that wait for a flush, in the order of delivery."""

    def __init__(self, triggers: Triggers) -> None:
        self.triggers = triggers
        self.bytes = 0
        self._messages: deque[Message] = deque()
        self._last_taken = float("-inf")

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        self._messages.append(message)
        self.bytes += len(message.body)

    def age(self, now: float) -> float:
        """Seconds that the oldest message has waited; 0 when none does."""
        return now - self._messages[0].received if self._messages else 0.0

    def due(self, now: float) -> bool:
        """Whether a batch should be taken now, provided that none is being written."""
        rows, triggers = len(self._messages), self.triggers
        if rows >= triggers.rows or self.bytes >= triggers.bytes:
            if rows >= triggers.max_rows or self.bytes >= triggers.max_bytes:
                return True
            if now - self._last_taken >= triggers.interval:
                return True
        return rows > 0 and now - self._messages[0].received >= triggers.seconds

    def take(self, now: float) -> list[Message]:
        """Remove and return the oldest messages, within the limits of one batch (but at least one message)."""
        batch: list[Message] = []
        size = 0
        while self._messages and len(batch) < self.triggers.max_rows:
            size += len(self._messages[0].body)
            if batch and size > self.triggers.max_bytes:
                break
            batch.append(self._messages.popleft())
        self.bytes -= sum(len(message.body) for message in batch)
        self._last_taken = now
        return batch

    def clear(self) -> None:
        """Forget all: the connection is gone and RabbitMQ will deliver them again."""
        self._messages.clear()
        self.bytes = 0
