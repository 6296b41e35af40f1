"""One queue: its channel, its buffer, and the thread that writes its batches.

Everything here runs in the thread of the I/O loop, which must stay free to serve heartbeats: it only collects
messages, hands batches to the worker thread, and acknowledges when the worker reports back through
`add_callback_threadsafe`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from event_sinker import metrics
from event_sinker.batch import Buffer, Message, Triggers
from event_sinker.errors import Abandoned
from event_sinker.events import EventType
from event_sinker.flush import Flusher
from event_sinker.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Messages on their way to ClickHouse. `lost` is set when their channel is gone: then they are no longer ours."""

    messages: list[Message]
    channel: Channel
    lost: threading.Event


class QueueConsumer:
    """Consumes one queue over any number of connections, one after the other."""

    def __init__(
        self,
        event: EventType,
        settings: Settings,
        loop: IOLoop,
        on_lost: Callable[[str], None],
        on_fatal: Callable[[BaseException], None],
        on_idle: Callable[[], None],
    ) -> None:
        self.event = event
        self.flusher = Flusher(event, settings)
        self._prefetch = settings.prefetch
        self._loop = loop
        self._on_lost = on_lost
        self._on_fatal = on_fatal
        self._on_idle = on_idle
        self._buffer = Buffer(
            Triggers(
                rows=settings.batch_rows,
                bytes=settings.batch_bytes,
                seconds=settings.seconds(event),
                interval=settings.batch_interval_seconds,
                max_rows=max(settings.batch_rows, min(settings.batch_max_rows, settings.prefetch // 2)),
                max_bytes=max(settings.batch_bytes, settings.batch_max_bytes),
            )
        )
        self._channel: Channel | None = None
        self._consumer_tag = ""
        self._in_flight: Batch | None = None
        self._draining = False
        self.subscribed = False
        self._batches: SimpleQueue[Batch] = SimpleQueue()
        threading.Thread(target=self._write_batches, name=f"writer-{event.name}", daemon=True).start()
        metrics.exists_for(event.queue)

    # --- subscription -------------------------------------------------------------------------------------------------

    def open(self, connection: pika.SelectConnection) -> None:
        """Subscribe over a new connection."""
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_cancel_callback(lambda _frame: self._on_lost(f"queue {self.event.queue} was deleted"))
        channel.basic_qos(prefetch_count=self._prefetch, callback=self._subscribe)

    def _subscribe(self, _frame) -> None:
        if self._channel and not self._draining:
            self._consumer_tag = self._channel.basic_consume(
                self.event.queue, on_message_callback=self._received, callback=self._subscription_confirmed
            )

    def _subscription_confirmed(self, _frame) -> None:
        self.subscribed = True

    def _channel_closed(self, channel: Channel, reason: Exception) -> None:
        if channel is self._channel:
            self._on_lost(f"channel of {self.event.queue} closed: {reason}")

    def release(self) -> None:
        """The connection is gone: forget what was not stored, RabbitMQ delivers it again."""
        self.subscribed = False
        self._channel = None
        self._buffer.clear()
        if self._in_flight:
            self._in_flight.lost.set()

    # --- messages to batches ------------------------------------------------------------------------------------------

    def _received(self, channel: Channel, method, properties: pika.BasicProperties, body: bytes) -> None:
        now = time.monotonic()
        self._buffer.add(Message(body, method, properties, now))
        if self._in_flight is None and self._buffer.due(now):
            self._flush(now)

    def tick(self, now: float) -> None:
        """To be called several times a second: fires the time trigger and refreshes the gauges."""
        if self._in_flight is None and (self._buffer.due(now) or (self._draining and len(self._buffer))):
            self._flush(now)
        queue = self.event.queue
        metrics.BUFFER_ROWS.labels(queue).set(len(self._buffer))
        metrics.BUFFER_BYTES.labels(queue).set(self._buffer.bytes)
        metrics.BUFFER_AGE.labels(queue).set(self._buffer.age(now))
        metrics.IN_FLIGHT_ROWS.labels(queue).set(len(self._in_flight.messages) if self._in_flight else 0)

    def _flush(self, now: float) -> None:
        assert self._channel is not None
        messages = self._buffer.take(now)
        metrics.CONSUMED.labels(self.event.queue).inc(len(messages))
        self._in_flight = Batch(messages, self._channel, threading.Event())
        self._batches.put(self._in_flight)

    def _write_batches(self) -> None:
        """The worker thread. It talks to ClickHouse and never touches the channel."""
        while True:
            batch = self._batches.get()
            error: BaseException | None = None
            try:
                self.flusher.flush(batch.messages, batch.lost)
            except BaseException as raised:
                error = raised
            self._loop.add_callback_threadsafe(partial(self._written, batch, error))

    def _written(self, batch: Batch, error: BaseException | None) -> None:
        self._in_flight = None
        if isinstance(error, Abandoned):
            metrics.ABANDONED.labels(self.event.queue).inc()
            log.info("batch abandoned: its messages went back to RabbitMQ", extra={"queue": self.event.queue})
        elif error is not None:
            self._on_fatal(error)
            return
        elif batch.channel is self._channel and batch.channel.is_open:
            # Batches are taken in the order of delivery, one at a time: all tags up to the last are done.
            batch.channel.basic_ack(batch.messages[-1].method.delivery_tag, multiple=True)
            metrics.ACKNOWLEDGED.labels(self.event.queue).inc(len(batch.messages))
        now = time.monotonic()
        if self._buffer.due(now) or (self._draining and len(self._buffer)):
            self._flush(now)
        elif self.idle:
            self._on_idle()

    # --- shutdown -----------------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being written."""
        return self._in_flight is None and not len(self._buffer)

    def drain(self) -> None:
        """Take no more messages and write what is here; `on_idle` follows."""
        self._draining = True
        if self._channel and self._channel.is_open and self.subscribed:
            self._channel.basic_cancel(self._consumer_tag, callback=lambda _frame: self.tick(time.monotonic()))
        else:
            self._buffer.clear()
