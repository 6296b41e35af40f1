"""One batch from messages to 'may be acknowledged': parse, drop duplicates, insert, move poison away.

The order gives the guarantee. This runs in a worker thread and acknowledges nothing; the consumer does, after
`Flusher.flush` returned. Whatever fails or dies in between, the messages are still RabbitMQ's and come again, and what
was stored is then recognised by its event id.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from secrets import token_hex

from event_sinker import metrics
from event_sinker.batch import Message
from event_sinker.claim import Claim
from event_sinker.dead_letters import DeadLetter, DeadLetters
from event_sinker.duplicates import RecentIds
from event_sinker.events import EventType
from event_sinker.parse import Parser, Poison, Reason, Row
from event_sinker.poison_limit import PoisonLimit
from event_sinker.settings import Settings
from event_sinker.writer import Writer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of the messages of one batch; the three add up to the messages."""

    stored: list[Message]
    duplicates: int
    dead: list[DeadLetter]
    times: Counter[int] = field(default_factory=Counter)  # event times of the stored rows, epoch seconds


class Flusher:
    """Writes the batches of one consumer, one at a time. `recent` may be shared by the consumers of a process."""

    def __init__(
        self, event: EventType, settings: Settings, recent: RecentIds | None = None, writer: Writer | None = None
    ) -> None:
        self.event = event
        self.writer = writer or Writer(event, settings)
        self._parser = Parser(event, settings.limits())
        self._dead_letters = DeadLetters(event, settings)
        self._limit = PoisonLimit(
            event.queue, settings.poison_max_consecutive, settings.poison_max_ratio, settings.poison_window
        )
        self._recent = RecentIds(settings.recent_ids) if recent is None else recent
        self._id_index = event.column_names.index(event.id_column)
        self._time_index = event.column_names.index(event.time_column)

    @property
    def trouble(self) -> str:
        """What keeps the batch in hand from being done; empty: nothing. It is tried again until it is done."""
        return self.writer.trouble or self._dead_letters.trouble

    def flush(self, messages: Sequence[Message], claim: Claim) -> Outcome:
        """Store a batch and move what cannot be stored.

        Raises:
            Abandoned: the messages went back to RabbitMQ, and there was still something to do.
            SinkerError: a person must act.
        """
        started = time.monotonic()
        batch_id = token_hex(8)
        outcome = self.store(messages, batch_id, claim)
        self._count_stored(outcome)
        poison = self._require_limits(messages, outcome.dead)
        if outcome.dead:
            self._dead_letters.publish(outcome.dead, claim)
        self._limit.record(poison)
        self._report(batch_id, messages, outcome, started)
        return outcome

    def store(self, messages: Sequence[Message], batch_id: str, claim: Claim, suspect: bool = False) -> Outcome:
        """Store a batch; what cannot be stored is returned. `suspect`: any of them may be stored already.

        Raises:
            Abandoned, SinkerError: as `flush`.
        """
        rows, owners, dead = self._parse(messages, batch_id)
        if dead and not suspect:
            self._require_limits(messages, dead)
        rows, owners = self._distinct(rows, owners)
        rows, owners = self._without_stored(rows, owners, claim, suspect)
        if rows:
            refused = dict(self.writer.write(batch_id, rows, claim))
            if refused:
                dead += [DeadLetter(owners[at], Poison(Reason.REFUSED, reason)) for at, reason in refused.items()]
                rows = [row for at, row in enumerate(rows) if at not in refused]
                owners = [owner for at, owner in enumerate(owners) if at not in refused]
            self._recent.add(row[self._id_index] for row in rows)
        times = Counter(map(itemgetter(self._time_index), rows))
        return Outcome(owners, len(messages) - len(owners) - len(dead), dead, times)

    def _require_limits(self, messages: Sequence[Message], dead: Sequence[DeadLetter]) -> list[bool]:
        tags = {letter.message.tag for letter in dead}
        poison = [message.tag in tags for message in messages]
        example = f"{dead[-1].poison.reason.value}: {dead[-1].poison.detail}" if dead else ""
        self._limit.require(poison, example)
        return poison

    def _parse(self, messages: Sequence[Message], batch_id: str) -> tuple[list[Row], list[Message], list[DeadLetter]]:
        """Rows with the messages that they come from, and the poison."""
        now = int(time.time())
        rows: list[Row] = []
        owners: list[Message] = []
        dead: list[DeadLetter] = []
        for message in messages:
            try:
                rows.append(self._parser.row(message.body, now, batch_id))
            except Poison as poison:
                dead.append(DeadLetter(message, poison))
            else:
                owners.append(message)
        return rows, owners, dead

    def _distinct(self, rows: list[Row], owners: list[Message]) -> tuple[list[Row], list[Message]]:
        """Drop rows whose id came before in this batch or was stored lately. Rows without an id all stay."""
        ids = {row[self._id_index] for row in rows}
        seen = self._recent.among(ids)
        if len(ids) == len(rows) and not seen:
            return rows, owners
        keep = []
        for at, row in enumerate(rows):
            event_id = row[self._id_index]
            if not event_id or event_id not in seen:
                keep.append(at)
                seen.add(event_id)
        return [rows[at] for at in keep], [owners[at] for at in keep]

    def _without_stored(
        self, rows: list[Row], owners: list[Message], claim: Claim, suspect: bool
    ) -> tuple[list[Row], list[Message]]:
        """Drop what another process (or an earlier life of this one) stored before its acknowledgement could arrive."""
        suspects = [
            at for at, message in enumerate(owners) if (suspect or message.redelivered) and rows[at][self._id_index]
        ]
        if not suspects:
            return rows, owners
        metrics.REDELIVERED.labels(self.event.queue).inc(len(suspects))
        received = max(owners[at].received for at in suspects)
        known = self.writer.stored_ids([rows[at] for at in suspects], received, claim)
        keep = [at for at, row in enumerate(rows) if row[self._id_index] not in known]
        return [rows[at] for at in keep], [owners[at] for at in keep]

    def _count_stored(self, outcome: Outcome) -> None:
        """Rows are visible now, however long the dead letters of their batch have to wait."""
        queue, now = self.event.queue, time.time()
        metrics.INSERTED_ROWS.labels(queue).inc(len(outcome.stored))
        metrics.DUPLICATES.labels(queue).inc(outcome.duplicates)
        metrics.EVENT_LAG.observe(queue, ((max(0.0, now - at), events) for at, events in outcome.times.items()))

    def _report(self, batch_id: str, messages: Sequence[Message], outcome: Outcome, started: float) -> None:
        seconds = time.monotonic() - started
        queue = self.event.queue
        received = sum(len(message.body) for message in messages)
        left_out = sum(len(letter.message.body) for letter in outcome.dead) if outcome.dead else 0
        metrics.FLUSH_SECONDS.labels(queue).observe(seconds)
        metrics.BATCH_ROWS.labels(queue).observe(len(messages))
        metrics.STORED_BYTES.labels(queue).inc(received - left_out)
        log.info(
            "batch stored",
            extra={
                "queue": queue,
                "table": self.event.table,
                "batch_id": batch_id,
                "rows": len(outcome.stored),
                "duplicates": outcome.duplicates,
                "dead": len(outcome.dead),
                "bytes": received,
                "ms": round(1000 * seconds),
            },
        )
