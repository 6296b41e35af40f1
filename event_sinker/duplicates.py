"""The ids of events that this process stored lately: the first of two guards against a message that comes again.

RabbitMQ delivers a message again when its acknowledgement did not arrive. If this process stored it, its id is here
as long as `capacity` covers the un-acknowledged messages of a queue (the prefetch). If another process stored it,
RabbitMQ flags the message as redelivered, and the second guard asks ClickHouse (`Writer.stored_ids`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable


class RecentIds:
    """Remembers at least the last `capacity` ids and at most twice as many."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._young: set[str] = set()
        self._old: set[str] = set()

    def among(self, event_ids: set[str]) -> set[str]:
        """Which of these ids were stored lately."""
        with self._lock:
            return (event_ids & self._young) | (event_ids & self._old)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, event_ids: Iterable[str]) -> None:
        with self._lock:  # the consumers of a queue share it
            self._young.update(event_ids)
            self._young.discard("")  # events without an id are never the same
            if len(self._young) >= self._capacity:
                self._old, self._young = self._young, set()
