"""One batch from messages to 'may be acknowledged': parse, drop duplicates, insert, move poison away.

The order gives the guarantee. This runs in a worker thread and acknowledges nothing; the consumer does, after
`Flusher.flush` returned. Whatever fails or dies in between, the messages are still RabbitMQ's and come again, and what
was stored is then recognised by its event id.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from event_sinker import metrics
from event_sinker.batch import Message
from event_sinker.dead_letters import DeadLetter, DeadLetters
from event_sinker.duplicates import RecentIds
from event_sinker.events import EventType
from event_sinker.parse import Limits, Parser, Poison, Reason, Row
from event_sinker.settings import Settings
from event_sinker.writer import Writer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of the messages of one batch; the three numbers sum up to the messages."""

    inserted: int
    duplicates: int
    dead: int


class Flusher:
    """Writes the batches of one event type, one at a time."""

    def __init__(self, event: EventType, settings: Settings) -> None:
        limits = Limits(
            max_bytes=settings.max_message_bytes,
            min_event_time=int(settings.min_event_time.timestamp()),
            max_future=int(settings.max_event_future_seconds),
        )
        self.event = event
        self.writer = Writer(event, settings)
        self._parser = Parser(event, limits)
        self._dead_letters = DeadLetters(event, settings)
        self._recent = RecentIds(settings.recent_ids)
        self._id_index = event.column_names.index(event.id_column)
        self._time_index = event.column_names.index(event.time_column)

    def flush(self, messages: Sequence[Message], lost: threading.Event) -> Outcome:
        """Store a batch. `lost` is set by the consumer when the messages went back to RabbitMQ.

        Raises:
            Abandoned: they did, and there was still something to do.
            SinkerError: a person must act.
        """
        started = time.monotonic()
        batch_id = token_hex(8)
        rows, owners, dead = self._parse(messages, batch_id)
        rows, owners = self._without_stored(rows, owners, lost)
        if rows:
            refused = self.writer.write(batch_id, rows, lost)
            dead += [DeadLetter(owners[index], Poison(Reason.REFUSED, reason)) for index, reason in refused]
            refused_indexes = {index for index, _ in refused}
            stored = [index for index in range(len(rows)) if index not in refused_indexes]
            self._recent.add(rows[index][self._id_index] for index in stored)
        else:
            stored = []
        if dead:
            self._dead_letters.publish(dead, lost)
        outcome = Outcome(len(stored), len(messages) - len(stored) - len(dead), len(dead))
        self._report(batch_id, messages, outcome, started)
        if stored:
            oldest = min(rows[index][self._time_index] for index in stored)
            metrics.EVENT_LAG.labels(self.event.queue).observe(max(0.0, time.time() - oldest))
            metrics.INSERTED_BYTES.labels(self.event.queue).inc(sum(len(owners[index].body) for index in stored))
        return outcome

    def _parse(self, messages: Sequence[Message], batch_id: str) -> tuple[list[Row], list[Message], list[DeadLetter]]:
        """Rows of a batch without those whose id came twice in it or was stored lately, and the poison."""
        now = int(time.time())
        rows: list[Row] = []
        owners: list[Message] = []
        dead: list[DeadLetter] = []
        seen: set[str] = set()
        for message in messages:
            try:
                row = self._parser.row(message.body, now, batch_id)
            except Poison as poison:
                dead.append(DeadLetter(message, poison))
                continue
            event_id = row[self._id_index]
            if event_id in seen or event_id in self._recent:
                continue
            seen.add(event_id)
            rows.append(row)
            owners.append(message)
        return rows, owners, dead

    def _without_stored(
        self, rows: list[Row], owners: list[Message], lost: threading.Event
    ) -> tuple[list[Row], list[Message]]:
        """Drop what another process (or an earlier life of this one) stored before its acknowledgement could arrive."""
        suspects = [index for index, message in enumerate(owners) if message.method.redelivered]
        if not suspects:
            return rows, owners
        metrics.REDELIVERED.labels(self.event.queue).inc(len(suspects))
        received = max(owners[index].received for index in suspects)
        known = self.writer.stored_ids([rows[index] for index in suspects], received, lost)
        keep = [index for index, row in enumerate(rows) if row[self._id_index] not in known]
        return [rows[index] for index in keep], [owners[index] for index in keep]

    def _report(self, batch_id: str, messages: Sequence[Message], outcome: Outcome, started: float) -> None:
        seconds = time.monotonic() - started
        queue = self.event.queue
        metrics.INSERTED_ROWS.labels(queue).inc(outcome.inserted)
        metrics.DUPLICATES.labels(queue).inc(outcome.duplicates)
        metrics.FLUSH_SECONDS.labels(queue).observe(seconds)
        metrics.BATCH_ROWS.labels(queue).observe(len(messages))
        log.info(
            "batch stored",
            extra={
                "queue": queue,
                "table": self.event.table,
                "batch_id": batch_id,
                "rows": outcome.inserted,
                "duplicates": outcome.duplicates,
                "dead": outcome.dead,
                "bytes": sum(len(message.body) for message in messages),
                "ms": round(1000 * seconds),
            },
        )
