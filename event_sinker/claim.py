"""The claim to messages in hand: whether RabbitMQ still counts them as ours, and how lately that was certain.

RabbitMQ gives the messages of a lost consumer to another one. A process that was suspended, or cut off from the
network, learns that later than the other one, and what it inserts then is a second copy. So an insert is completed only
when RabbitMQ has answered a question that was asked less than `seconds` ago. Whoever gets the messages waits for as
long before it looks which of them are stored (SINKER_REDELIVERY_SETTLE_SECONDS): by then the former holder completes no
insert any more, and one that it completed is waited for.
"""

from __future__ import annotations

import math
import threading
import time

from event_sinker.errors import Abandoned

_POLL_SECONDS = 0.01
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds on the clock of all claims. On Linux it goes on while the machine sleeps, as RabbitMQ's patience does."""
    return time.clock_gettime(_CLOCK)


class Claim:
    """One channel's messages. The I/O loop confirms the claim or gives it up, the worker thread requires it."""

    def __init__(self, seconds: float = math.inf, asked: float = 0.0) -> None:
        """`asked`: the `clock` before RabbitMQ's first answer. Without arguments: it needs no answers."""
        self._seconds = seconds
        self._confirmed = asked
        self._asking = False
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        """Whether the messages went back to RabbitMQ. Then it is for good."""
        return self._lost.is_set()

    def give_up(self) -> None:
        """The messages are RabbitMQ's again."""
        self._lost.set()

    def wait(self, timeout: float) -> bool:
        """Sleep for so many seconds, or until the claim is lost; returns whether it is."""
        return self._lost.wait(timeout)

    def require(self) -> None:
        """Return when the messages are ours for certain.

        Raises:
            Abandoned: they are not.
        """
        while not self.lost:
            if clock() < self._confirmed + self._seconds:
                return
            self.wait(_POLL_SECONDS)
        raise Abandoned

    def must_ask(self, now: float) -> bool:
        """Whether RabbitMQ should be asked now. If so, `confirmed(now)` must follow its answer."""
        if self._asking or self.lost or now < self._confirmed + self._seconds / 4:
            return False
        self._asking = True
        return True

    def confirmed(self, asked: float) -> None:
        """RabbitMQ has answered a question that was asked at that time of the `clock`."""
        self._asking = False
        self._confirmed = max(self._confirmed, asked)
