"""The process: one I/O loop, one connection, its consumers; connects, reconnects, drains, ends."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pika
from pika.adapters.select_connection import IOLoop

from event_sinker import broker_errors, metrics, topology
from event_sinker.budget import MemoryBudget
from event_sinker.consumer import QueueConsumer
from event_sinker.duplicates import RecentIds
from event_sinker.errors import SinkerError
from event_sinker.events import EventType
from event_sinker.settings import Settings

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_BUG = 1
EXIT_FATAL = 3
EXIT_SECOND_SIGNAL = 143

_TICK_SECONDS = 0.1
_SOUND_SECONDS = 60  # a connection that lived for so long was a good one


class Service:
    """Runs until SIGTERM or SIGINT, or until an error that a person must resolve."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.exit_code = EXIT_OK
        self.alive_at = time.monotonic()
        self.broker_trouble = ""  # why RabbitMQ cannot be used, for /readyz
        self._loop = IOLoop()
        self._connection: pika.SelectConnection | None = None
        self._failures = 0
        self._connected_at = 0.0  # monotonic
        self._drain_asked = False
        self._draining = False
        self._closing = False
        self.events = settings.served()
        count = sum(settings.consumers(event) for event in self.events)
        budget = MemoryBudget(settings.memory_bytes, count)
        self.consumers: list[QueueConsumer] = []
        for event in self.events:
            metrics.exists_for(event.queue)
            recent = RecentIds(settings.recent_ids)
            self.consumers += [
                QueueConsumer(event, settings, self._loop, self, budget, recent)
                for _ in range(settings.consumers(event))
            ]

    def run(self) -> int:
        """Serve; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        try:
            for consumer in self.consumers:
                self.alive_at = time.monotonic()
                if not consumer.flusher.writer.open():
                    break  # the others need not wait for ClickHouse as well
        except SinkerError as error:
            self._fatal(error)
            return self.exit_code
        self._loop.add_callback_threadsafe(self._connect)
        self._loop.add_callback_threadsafe(self._tick)
        try:
            self._loop.start()
        except Exception as error:
            self._fatal(error)
        return self.exit_code

    # --- connection ---------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self._ending:
            self._declare(self.events, self._declared)

    @property
    def _ending(self) -> bool:
        return self._drain_asked or self._closing

    def _declare(self, events: Sequence[EventType], then: Callable[[BaseException | None], None]) -> None:
        """Declare in a thread of its own, then go on in the loop with what went wrong, or None.

        Declaring is a sequence of questions and answers: clearest over a blocking connection, for which the loop, its
        heartbeats and signals must not wait.
        """

        def declare() -> None:
            error = None
            try:
                with pika.BlockingConnection(topology.declaring_parameters(self.settings)) as connection:
                    topology.declare(connection, events)
            except BaseException as raised:
                error = raised
            self._loop.add_callback_threadsafe(partial(then, error))

        threading.Thread(target=declare, name="declare", daemon=True).start()

    def _declared(self, error: BaseException | None) -> None:
        if self._ending:
            return
        if isinstance(error, broker_errors.UNREACHABLE):
            self._retry_later(error)
        elif error is not None:
            self._fatal(error)
        else:
            self._connection = pika.SelectConnection(
                topology.connection_parameters(self.settings),
                on_open_callback=self._opened,
                on_open_error_callback=lambda _connection, error: self._closed(_connection, error),
                on_close_callback=self._closed,
                custom_ioloop=self._loop,
            )

    def _opened(self, connection: pika.SelectConnection) -> None:
        log.info("connected to RabbitMQ", extra={"queues": [event.queue for event in self.events]})
        self._connected_at = time.monotonic()
        self.broker_trouble = ""
        metrics.CONNECTED.set(1)
        for consumer in self.consumers:
            consumer.open(connection)

    def acknowledged(self) -> None:
        """A connection over which something was done is a good one: the next loss is the first again."""
        self._failures = 0

    def subscription_lost(self, consumer: QueueConsumer, reason: str) -> None:
        """The channel or the queue of one consumer went away: it is declared and subscribed anew, the others go on."""
        connection = self._connection
        if not (connection and connection.is_open) or self._closing:
            return  # all of them are lost
        metrics.SUBSCRIPTIONS_LOST.labels(consumer.event.queue).inc()
        consumer.losses += 1
        pause = self._pause(consumer.losses)
        log.warning(
            "subscription lost, will be renewed",
            extra={"queue": consumer.event.queue, "reason": reason, "pause_ms": round(1000 * pause)},
        )
        self._loop.call_later(pause, partial(self._resubscribe, consumer, connection))
        self.consumer_idle()

    def _resubscribe(self, consumer: QueueConsumer, connection: pika.SelectConnection) -> None:
        if self._is_current(connection):
            self._declare([consumer.event], partial(self._redeclared, consumer, connection))

    def _redeclared(
        self, consumer: QueueConsumer, connection: pika.SelectConnection, error: BaseException | None
    ) -> None:
        if not self._is_current(connection):
            return
        if error is None:
            consumer.open(connection)
        elif isinstance(error, SinkerError):
            self.give_up(consumer.event, error)
        elif isinstance(error, broker_errors.UNREACHABLE):
            self.subscription_lost(consumer, broker_errors.explain(error, self.settings))
        else:
            self._fatal(error)

    def _is_current(self, connection: pika.SelectConnection) -> bool:
        """Whether to go on over this connection; a new one subscribes everything anyway."""
        return connection is self._connection and connection.is_open and not self._ending

    def _closed(self, _connection: pika.SelectConnection, error: BaseException) -> None:
        self._connection = None
        metrics.CONNECTED.set(0)
        for consumer in self.consumers:
            consumer.release()
        if self._draining or self._closing:
            self._loop.stop()
        else:
            self._retry_later(error)

    def _retry_later(self, error: BaseException) -> None:
        self._failures += 1
        metrics.RECONNECTS.inc()
        self.broker_trouble = broker_errors.explain(error, self.settings)
        pause = self._pause(self._failures)
        log.warning(
            "no connection to RabbitMQ, will be repeated",
            extra={"attempt": self._failures, "pause_ms": round(1000 * pause), "error": self.broker_trouble},
        )
        self._loop.call_later(pause, self._connect)

    def _pause(self, failures: int) -> float:
        """Seconds before the next attempt; at random, so that sinkers do not come all at once."""
        longest = min(self.settings.reconnect_max_seconds, 0.25 * 2 ** min(failures, 16))
        return random.uniform(longest / 2, longest)  # noqa: S311 -- spreads sinkers, hides nothing

    def _tick(self) -> None:
        self.alive_at = now = time.monotonic()
        if self._drain_asked and not self._draining:
            self._drain()
        if self._connection and self._connection.is_open and now - self._connected_at > _SOUND_SECONDS:
            self._failures = 0
        for consumer in self.consumers:
            consumer.tick(now)
        for event in self.events:
            mine = [consumer.waiting for consumer in self.consumers if consumer.event is event]
            metrics.set_waiting(event.queue, mine)
        self._loop.call_later(_TICK_SECONDS, self._tick)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _signalled(self, number: int, _frame: object) -> None:
        if self._drain_asked:
            # Un-acknowledged messages return to RabbitMQ by themselves; nothing needs to be written.
            os._exit(EXIT_SECOND_SIGNAL)
        self._drain_asked = True  # the loop sees it at its next tick; a signal handler must take no lock

    def _drain(self) -> None:
        self._draining = True
        log.info("draining", extra={"grace_seconds": self.settings.shutdown_grace_seconds})
        self._loop.call_later(self.settings.shutdown_grace_seconds, self._grace_over)
        for consumer in self.consumers:
            consumer.drain()
        self.consumer_idle()

    def _grace_over(self) -> None:
        log.warning("grace period over: messages that are not stored return to RabbitMQ")
        self._close()

    def consumer_idle(self) -> None:
        """When draining, the process ends once no consumer holds anything."""
        if self._draining and all(consumer.idle for consumer in self.consumers):
            self._close()

    def give_up(self, event: EventType, error: SinkerError) -> None:
        """A queue is no longer served, by none of its consumers. The others go on; without any the process ends."""
        mine = [consumer for consumer in self.consumers if consumer.event is event and not consumer.stopped]
        if not mine:
            return
        log.critical(str(error), extra={"queue": event.queue})
        metrics.STOPPED.labels(event.queue).set(1)
        for consumer in mine:
            consumer.stop(error)
        if all(consumer.stopped for consumer in self.consumers):
            self.exit_code = EXIT_FATAL
            self._close()

    def failed(self, error: BaseException) -> None:
        """A bug."""
        self._fatal(error)

    def _fatal(self, error: BaseException) -> None:
        if isinstance(error, SinkerError):
            log.critical(str(error))
            self.exit_code = EXIT_FATAL
        else:
            log.critical("unexpected error: this is a bug of the sinker", exc_info=error)
            self.exit_code = EXIT_BUG
        self._close()

    def _close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._connection and self._connection.is_open:
            self._connection.close()
            self._loop.call_later(5, self._loop.stop)  # RabbitMQ may not answer
        else:
            self._loop.stop()
