"""One subscription: its channel, its buffer, and the thread that writes its batches.

Everything here runs in the thread of the I/O loop, which must stay free to serve heartbeats: it only collects
messages, hands batches to the worker thread, and acknowledges when the worker reports back through
`add_callback_threadsafe`.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Protocol

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker

from event_sinker import metrics
from event_sinker.batch import Buffer, Message, Triggers, cost_of
from event_sinker.budget import MemoryBudget
from event_sinker.duplicates import RecentIds
from event_sinker.errors import Abandoned, SinkerError
from event_sinker.events import EventType
from event_sinker.flush import Flusher
from event_sinker.settings import Settings

log = logging.getLogger(__name__)


class Owner(Protocol):
    """What a consumer reports to; see `service.Service`."""

    def subscription_lost(self, reason: str) -> None:
        """A channel or queue went away: start over with a new connection."""

    def consumer_stopped(self) -> None:
        """A consumer gave up: a person must act."""

    def acknowledged(self) -> None:
        """A batch is done."""

    def failed(self, error: BaseException) -> None:
        """A bug: the process must end."""

    def consumer_idle(self) -> None:
        """Nothing waits and nothing is being written."""


@dataclass(frozen=True)
class Batch:
    """Messages on their way to ClickHouse. `lost` is set when their channel is gone: then they are no longer ours."""

    messages: list[Message]
    channel: Channel
    lost: threading.Event
    cost: int


class QueueConsumer:
    """Consumes one queue over any number of connections, one after the other."""

    def __init__(
        self,
        event: EventType,
        settings: Settings,
        loop: IOLoop,
        owner: Owner,
        budget: MemoryBudget,
        recent: RecentIds,
    ) -> None:
        self.event = event
        self.flusher = Flusher(event, settings, recent)
        self.stopped: SinkerError | None = None  # set for good when only a person can help
        self.subscribed = False  # also during a pause, which is no fault
        self._consuming = False  # RabbitMQ knows this consumer, and it is not being cancelled
        self._loop = loop
        self._owner = owner
        self._budget = budget
        self._prefetch = self._most_prefetch = settings.prefetch
        rows = settings.rows(event)
        self._buffer = Buffer(
            Triggers(
                rows=rows,
                bytes=settings.batch_bytes,
                seconds=settings.seconds(event),
                interval=settings.batch_interval_seconds,
                max_rows=max(rows, min(settings.batch_max_rows, settings.prefetch // 2)),
                max_bytes=max(settings.batch_bytes, settings.batch_max_bytes),
            )
        )
        self._held = 0  # bytes of the memory budget
        self._channel: Channel | None = None
        self._consumer_tag = ""
        self._paused = False
        self._cancelling = False
        self._in_flight: Batch | None = None
        self._draining = False
        self._names: dict[str, str] = {}  # one object per exchange and routing key, not one per message
        self._batches: SimpleQueue[Batch] = SimpleQueue()
        threading.Thread(target=self._write_batches, name=f"writer-{event.name}", daemon=True).start()

    # --- subscription -------------------------------------------------------------------------------------------------

    def open(self, connection: pika.SelectConnection) -> None:
        """Subscribe over a new connection."""
        if not self.stopped:
            connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        if self.stopped:
            channel.close()
            return
        self._channel = channel
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_cancel_callback(
            lambda _frame: self._owner.subscription_lost(f"queue {self.event.queue} was deleted")
        )
        self._set_prefetch()

    def _set_prefetch(self) -> None:
        channel = self._channel
        if channel and channel.is_open and not self._draining:
            channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _frame: self._subscribe(channel))

    def _subscribe(self, channel: Channel) -> None:
        if channel is self._channel and channel.is_open and not self._draining:
            self._consumer_tag = channel.basic_consume(
                self.event.queue, on_message_callback=self._received, callback=self._subscription_confirmed
            )

    def _subscription_confirmed(self, _frame) -> None:
        self._consuming = self.subscribed = True

    def _channel_closed(self, channel: Channel, reason: Exception) -> None:
        if channel is not self._channel or self.stopped:
            return
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == 403:  # ACCESS_REFUSED
            self._stop(
                SinkerError(
                    f"queue {self.event.queue} is no longer served: {reason.reply_text}. Another program consumes it "
                    "exclusively, or the user lacks the right to read it. Mend that and restart"
                )
            )
        else:
            self._owner.subscription_lost(f"channel of {self.event.queue} closed: {reason}")

    def release(self) -> None:
        """The channel is gone: forget what was not stored, RabbitMQ delivers it again."""
        self.subscribed = self._consuming = self._paused = self._cancelling = False
        self._channel = None
        self._prefetch = self._most_prefetch
        self._buffer.clear()
        if self._in_flight:
            self._in_flight.lost.set()
            self._keep_account(self._in_flight.cost)
        else:
            self._keep_account(0)

    # --- messages to batches ------------------------------------------------------------------------------------------

    def _received(self, channel: Channel, method, properties: pika.BasicProperties, body: bytes) -> None:
        if channel is not self._channel:
            return  # it is closing: what was on its way goes back to RabbitMQ
        now = time.monotonic()
        names = self._names
        exchange, routing_key = method.exchange, method.routing_key
        cost = cost_of(body, properties)
        self._buffer.add(
            Message(
                body,
                method.delivery_tag,
                method.redelivered,
                properties,
                now,
                names.setdefault(exchange, exchange),
                names.setdefault(routing_key, routing_key),
                cost,
            )
        )
        self._held += cost
        self._budget.take(cost)
        if self._in_flight is None and self._due(now):
            self._flush(now)
        if not self._paused and self._budget.must_pause(self._held):
            self._pause()

    def _due(self, now: float) -> bool:
        # When nothing more will come until something is acknowledged, waiting for a fuller batch is pointless.
        full = len(self._buffer) >= self._prefetch or (self._paused and len(self._buffer) > 0)
        return full or self._buffer.due(now) or (self._draining and len(self._buffer) > 0)

    def tick(self, now: float) -> None:
        """To be called several times a second: fires the time trigger and ends pauses."""
        if self._in_flight is None and self._channel and self._due(now):
            self._flush(now)
        if self._paused and not self._cancelling and self._budget.may_resume(self._held):
            self._resume()

    def _flush(self, now: float) -> None:
        assert self._channel is not None
        messages = self._buffer.take(now)
        metrics.CONSUMED.labels(self.event.queue).inc(len(messages))
        cost = sum(message.cost for message in messages)
        self._in_flight = Batch(messages, self._channel, threading.Event(), cost)
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
        self._keep_account(self._held - batch.cost)
        if isinstance(error, Abandoned):
            metrics.ABANDONED.labels(self.event.queue).inc()
            log.info("batch abandoned: its messages went back to RabbitMQ", extra={"queue": self.event.queue})
        elif isinstance(error, SinkerError):
            self._stop(error)
        elif error is not None:
            self._owner.failed(error)
            return
        elif batch.channel is self._channel and batch.channel.is_open:
            # Batches are taken in the order of delivery, one at a time: all tags up to the last are done.
            batch.channel.basic_ack(batch.messages[-1].tag, multiple=True)
            metrics.ACKNOWLEDGED.labels(self.event.queue).inc(len(batch.messages))
            self._owner.acknowledged()
            fitting = self._fitting(batch.cost, len(batch.messages))
            if fitting >= 2 * self._prefetch:  # the messages became smaller
                self._unsubscribe(fitting)
        now = time.monotonic()
        if self._channel and self._due(now):
            self._flush(now)
        elif self.idle:
            self._owner.consumer_idle()

    # --- memory -------------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> tuple[int, int, float, int]:
        """Messages that wait, their bytes, the seconds that the oldest has waited, messages being written."""
        in_flight = len(self._in_flight.messages) if self._in_flight else 0
        return len(self._buffer), self._buffer.bytes, self._buffer.age(time.monotonic()), in_flight

    def _keep_account(self, held: int) -> None:
        self._budget.give_back(self._held - held)
        self._held = held

    def _pause(self) -> None:
        """Memory is full: take no more for now, the rest of the queue waits in RabbitMQ."""
        messages = len(self._buffer) + (len(self._in_flight.messages) if self._in_flight else 0)
        if self._unsubscribe(self._fitting(self._held, messages)):
            metrics.PAUSES.labels(self.event.queue).inc()
            log.info(
                "memory limit reached, taking no more messages until some are stored",
                extra={"queue": self.event.queue, "messages": messages, "bytes": self._held},
            )

    def _fitting(self, size: int, messages: int) -> int:
        """How many messages RabbitMQ may have on their way, when so many take so much: half of the limit."""
        return max(1, min(self._most_prefetch, self._budget.limit * messages // (2 * max(1, size))))

    def _unsubscribe(self, prefetch: int) -> bool:
        """Leave the queue for a while and come back with that prefetch. What still arrives, pika sends back."""
        if self._draining or not (self._consuming and self._channel and self._channel.is_open):
            return False
        self._consuming = False
        self._paused = self._cancelling = True
        self._prefetch = prefetch
        self._channel.basic_cancel(self._consumer_tag, callback=self._cancelled)
        return True

    def _cancelled(self, _frame) -> None:
        self._cancelling = False

    def _resume(self) -> None:
        self._paused = False
        self._set_prefetch()

    # --- the end ------------------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being written."""
        return self._in_flight is None and not len(self._buffer)

    def drain(self) -> None:
        """Take no more messages and write what is here; `consumer_idle` follows."""
        self._draining = True
        if not (self._channel and self._channel.is_open):
            self._buffer.clear()
        elif self._consuming:
            self._consuming = False
            self._channel.basic_cancel(self._consumer_tag, callback=lambda _frame: self.tick(time.monotonic()))

    def _stop(self, error: SinkerError) -> None:
        """Serve this queue no longer: its messages go back, the other queues go on."""
        self.stopped = error
        metrics.STOPPED.labels(self.event.queue).set(1)
        log.critical(str(error), extra={"queue": self.event.queue})
        channel = self._channel
        self.release()
        if channel and channel.is_open:
            channel.close()
        self._owner.consumer_stopped()
