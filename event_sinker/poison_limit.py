"""When so much is poison that the fault is ours: a wrong definition, a changed payload, a wrong table.

Then moving everything to the dead-letter queue would empty the queue into the wrong place. The consumer stops instead,
and the messages stay where they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from event_sinker.errors import SinkerError


class PoisonLimit:
    """Counts the messages of one consumer. A limit of 0 is none."""

    def __init__(self, queue: str, max_consecutive: int, max_ratio: float, window: int) -> None:
        self._queue = queue
        self._max_consecutive = max_consecutive
        self._max_ratio = max_ratio
        self._window = window
        self._consecutive = 0
        self._batches: deque[tuple[int, int]] = deque()  # messages, poison: at least the last `window` messages
        self._messages = 0
        self._poison = 0

    def require(self, poison: Sequence[bool], example: str) -> None:
        """To be called before the poison of a batch is moved; one entry per message, in the order of the queue.

        Raises:
            SinkerError: with this batch, too many messages in a row, or too large a part of the last ones, are poison.
        """
        longest, _ = self._runs(poison)
        if self._max_consecutive and longest > self._max_consecutive:
            raise SinkerError(self._text(f"{longest:,} messages in a row are poison", example, "CONSECUTIVE"))
        messages, dead = self._messages + len(poison), self._poison + sum(poison)
        if self._max_ratio and messages >= self._window and dead > self._max_ratio * messages:
            raise SinkerError(self._text(f"{dead:,} of the last {messages:,} messages are poison", example, "RATIO"))

    def record(self, poison: Sequence[bool]) -> None:
        """The batch is done."""
        _, self._consecutive = self._runs(poison)
        self._batches.append((len(poison), sum(poison)))
        self._messages += len(poison)
        self._poison += sum(poison)
        while self._messages - self._batches[0][0] >= self._window:
            messages, dead = self._batches.popleft()
            self._messages -= messages
            self._poison -= dead

    def _runs(self, poison: Sequence[bool]) -> tuple[int, int]:
        """The longest run of poison so far and the run that is open at the end."""
        run = longest = self._consecutive
        if not any(poison):
            return longest, 0 if poison else run
        for dead in poison:
            run = run + 1 if dead else 0
            longest = max(longest, run)
        return longest, run

    def _text(self, what: str, example: str, setting: str) -> str:
        return (
            f"queue {self._queue} is no longer served: {what}, for example: {example}. So many are no accident of "
            "single messages: the definition in event_sinker/events.py, the table or the publisher changed. Nothing of "
            "this batch was moved, all of it is still in the queue. Mend the cause and restart; to move them to the "
            f"dead letters all the same, raise SINKER_POISON_MAX_{setting} (0 = no limit)"
        )
