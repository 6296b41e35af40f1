"""The process: one I/O loop, one connection, its consumers; connects, reconnects, drains, ends."""

from __future__ import annotations

import logging
import os
import random
import signal
import time

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import AMQPError

from event_sinker import metrics, topology
from event_sinker.budget import MemoryBudget
from event_sinker.consumer import QueueConsumer
from event_sinker.duplicates import RecentIds
from event_sinker.errors import SinkerError
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
        if self._drain_asked or self._closing:
            return
        parameters = topology.connection_parameters(self.settings)
        try:
            # Declaring is a sequence of questions and answers: clearest over a blocking connection of its own.
            with pika.BlockingConnection(parameters) as connection:
                topology.declare(connection, self.events)
        except SinkerError as error:
            self._fatal(error)
        except (AMQPError, OSError) as error:
            self._retry_later(error)
        else:
            self._connection = pika.SelectConnection(
                parameters,
                on_open_callback=self._opened,
                on_open_error_callback=lambda _connection, error: self._closed(_connection, error),
                on_close_callback=self._closed,
                custom_ioloop=self._loop,
            )

    def _opened(self, connection: pika.SelectConnection) -> None:
        log.info("connected to RabbitMQ", extra={"queues": [event.queue for event in self.events]})
        self._connected_at = time.monotonic()
        metrics.CONNECTED.set(1)
        for consumer in self.consumers:
            consumer.open(connection)

    def acknowledged(self) -> None:
        """A connection over which something was done is a good one: the next loss is the first again."""
        self._failures = 0

    def subscription_lost(self, reason: str) -> None:
        """A channel or queue went away: start over with a new connection, which declares and subscribes everything."""
        if self._connection and self._connection.is_open and not self._closing:
            log.warning("subscription lost", extra={"reason": reason})
            self._connection.close()

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
        longest = min(self.settings.reconnect_max_seconds, 0.25 * 2 ** min(self._failures, 16))
        pause = random.uniform(longest / 2, longest)  # noqa: S311 -- spreads sinkers, hides nothing
        log.warning(
            "no connection to RabbitMQ, will be repeated",
            extra={"attempt": self._failures, "pause_ms": round(1000 * pause), "error": repr(error)[:300]},
        )
        self._loop.call_later(pause, self._connect)

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

    def consumer_stopped(self) -> None:
        """A consumer gave up. The others go on; without any the process ends."""
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
