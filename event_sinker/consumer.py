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
from event_sinker.claim import Claim, clock
from event_sinker.duplicates import RecentIds
from event_sinker.errors import Abandoned, SinkerError
from event_sinker.events import EventType
from event_sinker.flush import Flusher
from event_sinker.settings import Settings

log = logging.getLogger(__name__)


class Owner(Protocol):
    """What a consumer reports to; see `service.Service`."""

    def subscription_lost(self, consumer: QueueConsumer, reason: str) -> None:
        """Its channel or queue went away: declare and open it again."""

    def give_up(self, event: EventType, error: SinkerError) -> None:
        """A person must act: stop every consumer of this queue."""

    def acknowledged(self) -> None:
        """A batch is done."""

    def failed(self, error: BaseException) -> None:
        """A bug: the process must end."""

    def consumer_idle(self) -> None:
        """Nothing waits and nothing is being written."""


@dataclass(frozen=True)
class Batch:
    """Messages on their way to ClickHouse, delivered over this channel."""

    messages: list[Message]
    channel: Channel
    claim: Claim
    cost: int


class QueueConsumer:
    """Consumes one queue over any number of channels, one after the other."""

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
        self.losses = 0  # of the subscription, since the last acknowledgement
        self._consuming = False  # RabbitMQ knows this consumer, and it is not being cancelled
        self._loop = loop
        self._owner = owner
        self._budget = budget
        self._prefetch = self._most_prefetch = settings.prefetch
        self._claim_seconds = settings.claim_seconds()
        self._buffer = Buffer(
            Triggers(
                rows=settings.rows(event),
                bytes=settings.batch_bytes,
                seconds=settings.seconds(event),
                interval=settings.batch_interval_seconds,
                max_rows=settings.max_rows(),
                max_bytes=settings.batch_max_bytes,
            )
        )
        self._held = 0  # bytes of the memory budget
        self._channel: Channel | None = None
        self._claim: Claim | None = None  # to what came over this channel
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
        """Subscribe over a new channel."""
        if not self.stopped:
            connection.channel(on_open_callback=partial(self._channel_opened, clock()))

    def _channel_opened(self, asked: float, channel: Channel) -> None:
        if self.stopped:
            channel.close()
            return
        self._channel = channel
        self._claim = Claim(self._claim_seconds, asked)
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_cancel_callback(lambda _frame: self._lost(channel, "RabbitMQ cancelled it: the queue is gone"))
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
        if self._draining:
            self._leave()

    def _channel_closed(self, channel: Channel, reason: Exception) -> None:
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == 403 and channel is self._channel:
            self._owner.give_up(
                self.event,
                SinkerError(
                    f"queue {self.event.queue} is no longer served: {reason.reply_text}. Another program consumes it "
                    "exclusively, or the user lacks the right to read it. Mend that and restart"
                ),
            )
        else:
            self._lost(channel, f"its channel closed: {reason}")

    def _lost(self, channel: Channel, reason: str) -> None:
        if channel is self._channel:
            self.release()
            if channel.is_open:
                channel.close()
            self._owner.subscription_lost(self, reason)

    def release(self) -> None:
        """The channel is gone: forget what was not stored, RabbitMQ delivers it again."""
        self.subscribed = self._consuming = self._paused = self._cancelling = False
        self._channel = None
        self._prefetch = self._most_prefetch
        self._buffer.clear()
        if self._claim:
            self._claim.give_up()
        self._keep_account(self._in_flight.cost if self._in_flight else 0)

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
        """To be called several times a second: fires the time trigger, renews the claim and ends pauses."""
        if self._in_flight is None and self._channel and self._due(now):
            self._flush(now)
        if self._in_flight:
            self._renew_claim()
        if self._paused and not self._cancelling and self._budget.may_resume(self._held):
            self._resume()

    def _flush(self, now: float) -> None:
        assert self._channel is not None
        messages = self._buffer.take(now)
        metrics.CONSUMED.labels(self.event.queue).inc(len(messages))
        cost = sum(message.cost for message in messages)
        self._in_flight = Batch(messages, self._channel, self._claim, cost)
        self._batches.put(self._in_flight)
        self._renew_claim()

    def _renew_claim(self) -> None:
        """Ask RabbitMQ something over this channel. To repeat the prefetch changes nothing and has an answer."""
        channel, claim, now = self._channel, self._claim, clock()
        if channel and channel.is_open and claim.must_ask(now):
            channel.basic_qos(prefetch_count=self._prefetch, callback=lambda _frame: claim.confirmed(now))

    def _write_batches(self) -> None:
        """The worker thread. It talks to ClickHouse and never touches the channel."""
        while True:
            batch = self._batches.get()
            error: BaseException | None = None
            try:
                self.flusher.flush(batch.messages, batch.claim)
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
            self._owner.give_up(self.event, error)
        elif error is not None:
            self._owner.failed(error)
            return
        elif batch.channel is self._channel and batch.channel.is_open:
            # Batches are taken in the order of delivery, one at a time: all tags up to the last are done.
            batch.channel.basic_ack(batch.messages[-1].tag, multiple=True)
            metrics.ACKNOWLEDGED.labels(self.event.queue).inc(len(batch.messages))
            self.losses = 0
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
            self._leave()

    def _leave(self) -> None:
        self._consuming = False
        self._channel.basic_cancel(self._consumer_tag, callback=lambda _frame: self.tick(time.monotonic()))

    def stop(self, error: SinkerError) -> None:
        """Serve this queue no longer: its messages go back."""
        self.stopped = error
        channel = self._channel
        self.release()
        if channel and channel.is_open:
            channel.close()
