"""Dead letters once more through the code that stores batches, after their cause was mended.

The order is that of the service: store, then acknowledge. Whatever ends a replay in between, each letter is either
stored or still in the queue, and what is stored is recognised by its event id when the replay is run again.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from types import FrameType
from typing import Self

from event_sinker.dlq.queue import DeadLetterQueue, GaveUp, Letter, event_id
from event_sinker.errors import SinkerError, explain
from event_sinker.event_type import EventType
from event_sinker.flush import Flusher, Outcome
from event_sinker.parse import Parser, Poison
from event_sinker.settings import Settings
from event_sinker.writer import Writer, connect


@dataclass
class Report:
    """What became of the letters of one replay."""

    replayed: int = 0
    already_stored: int = 0
    still_dead: Counter[str] = field(default_factory=Counter)  # by reason
    examples: dict[str, str] = field(default_factory=dict)  # reason: the detail of one letter
    stopped_by: int | None = None  # the signal

    @property
    def handled(self) -> int:
        return self.replayed + self.already_stored + self.still_dead.total()


class Stop:
    """The wish to stop: at the first SIGINT or SIGTERM after the batch in hand, at the second at once."""

    def __init__(self, grace_seconds: float) -> None:
        self.signal: int | None = None
        self._grace_seconds = grace_seconds
        self._deadline = float("inf")

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._signalled) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:
            os._exit(128 + number)  # un-acknowledged letters return to the queue by themselves
        self.signal = number
        self._deadline = time.monotonic() + self._grace_seconds
        os.write(2, b"stopping after this batch; once more to stop at once, letters stay in the queue either way\n")

    def grace_over(self) -> bool:
        return time.monotonic() > self._deadline


def verdict(settings: Settings, event: EventType, letter: Letter) -> Poison | None:
    """Why the letter could not be stored today, as far as the definition and the settings decide; None: it could."""
    try:
        Parser(event, settings.limits()).row(letter.message.body, int(time.time()), "")
    except Poison as poison:
        return poison
    return None


class Replay:
    """Replays letters of one event type. `queue` gives the lock and serves heartbeats, wherever the letters come from.

    `acknowledge`: take letters that are stored out of the queue. `dry_run`: nothing is stored and nothing taken out.
    `failed` is called with each letter that still cannot be stored, `progress` with the number of letters of a batch,
    `warn` with a sentence for the person who runs this.
    """

    def __init__(
        self,
        settings: Settings,
        queue: DeadLetterQueue,
        stop: Stop,
        *,
        acknowledge: bool,
        dry_run: bool = False,
        failed: Callable[[Letter, Poison], None],
        progress: Callable[[int], None],
        warn: Callable[[str], None],
    ) -> None:
        self.report = Report()
        self._settings = settings
        self._queue = queue
        self._event = queue.event
        self._stop = stop
        self._acknowledge = acknowledge and not dry_run
        self._dry_run = dry_run
        self._failed = failed
        self._progress = progress
        self._warn = warn
        self._warned = False
        # These letters were refused one by one: that all are refused again is no alarm.
        writer = Writer(self._event, settings, dry_run=dry_run, alarm=False)
        self._flusher = Flusher(self._event, settings, writer=writer)

    def run(self, letters: Iterable[Letter]) -> Report:
        """Store letters batch by batch. Those that still cannot be stored stay where they are.

        Raises:
            SinkerError: a server cannot be reached, or a person must act; every letter is stored or where it was.
        """
        self._require_clickhouse()
        for batch in self._batches(letters):
            outcome = self._store(batch)
            if outcome is None:
                break
            self._settle(batch, outcome)
            if self._stop.signal:
                break
        self.report.stopped_by = self._stop.signal
        return self.report

    def _require_clickhouse(self) -> None:
        """The writer would wait for ClickHouse for ever, as a service must; a person wants to know."""
        try:
            connect(self._settings).close()
        except Exception as error:
            address = f"{self._settings.clickhouse_host}:{self._settings.clickhouse_http_port}"
            raise SinkerError(f"ClickHouse at {address}: {explain(error)}") from None

    def _batches(self, letters: Iterable[Letter]) -> Iterator[list[Letter]]:
        """As many rows and bytes as the service puts into a batch."""
        rows, most_bytes = self._settings.rows(self._event), self._settings.batch_bytes
        batch: list[Letter] = []
        size = 0
        for letter in letters:
            if batch and (len(batch) >= rows or size + len(letter.message.body) > most_bytes):
                yield batch
                batch, size = [], 0
            batch.append(letter)
            size += len(letter.message.body)
        if batch:
            yield batch

    def _store(self, batch: list[Letter]) -> Outcome | None:
        """What became of the batch; None when it was given up because the time to stop was over."""
        may_double = self._may_double(batch)
        claim = self._queue.new_claim()
        store = partial(self._flusher.store, [letter.message for letter in batch], token_hex(8), claim, suspect=True)
        try:
            return self._queue.run_beside(store, self._stop.grace_over, claim)
        except GaveUp:
            if may_double:
                self._warn(may_double)
            return None
        except SinkerError as error:
            raise SinkerError(f"{error}. {may_double}" if may_double else str(error)) from None
        finally:
            claim.give_up()  # a thread that still runs stops before its next attempt

    def _may_double(self, batch: list[Letter]) -> str:
        """What an interruption of this batch may do; empty: nothing. Only an event id tells what is stored already."""
        if self._event.always_has_id or self._dry_run:
            return ""
        count = sum(not event_id(self._event, letter.message.body) for letter in batch)
        if count and not self._warned:
            self._warned = True
            self._warn(
                f"{self._event.name}: some letters have no event id. If this replay is interrupted, the next one may "
                "store them a second time"
            )
        if not count:
            return ""
        return (
            f"{count} letters of the interrupted batch have no event id: the next replay may store them a second time"
        )

    def _settle(self, batch: list[Letter], outcome: Outcome) -> None:
        dead = {letter.message.tag: letter.poison for letter in outcome.dead}
        if self._acknowledge:
            self._queue.acknowledge([letter.message.tag for letter in batch if letter.message.tag not in dead])
        self.report.replayed += len(outcome.stored)
        self.report.already_stored += outcome.duplicates
        for letter in batch:
            if poison := dead.get(letter.message.tag):
                self.report.still_dead[poison.reason.value] += 1
                self.report.examples.setdefault(poison.reason.value, poison.detail)
                self._failed(letter, poison)
        self._progress(len(batch))
