"""Messages that can never be stored.

Each is moved to `<queue>.dead` with the reason, and RabbitMQ has confirmed it there before the original goes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pika
from pika.exceptions import ChannelClosedByBroker, NackError, UnroutableError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from tenacity.nap import sleep_using_event

from event_sinker import broker_errors, metrics, topology
from event_sinker.batch import Message
from event_sinker.claim import Claim
from event_sinker.errors import Abandoned
from event_sinker.events import EventType
from event_sinker.parse import Poison
from event_sinker.redact import redact
from event_sinker.settings import Settings

log = logging.getLogger(__name__)

# Headers travel in one frame; RabbitMQ's default frame is 128 KiB.
_MAX_HEADER_BYTES = 100_000

# Kept as they were. Not `expiration`: a dead letter waits for a person. Not `user_id`: RabbitMQ checks it against the
# login.
_KEPT_PROPERTIES = (
    "content_type",
    "content_encoding",
    "priority",
    "correlation_id",
    "reply_to",
    "message_id",
    "timestamp",
    "type",
    "app_id",
)


@dataclass(frozen=True)
class DeadLetter:
    """A message and why it cannot be stored."""

    message: Message
    poison: Poison


def properties_of(letter: DeadLetter, event: EventType, now: datetime) -> pika.BasicProperties:
    """The original properties and headers, plus `x-stir-*` headers: why, when, and where the message came from."""
    original = letter.message.properties
    added: dict[str, Any] = {
        "x-stir-dead-reason": letter.poison.reason.value,
        "x-stir-dead-detail": letter.poison.detail[:1000],
        "x-stir-dead-column": letter.poison.column,
        "x-stir-dead-at": now.isoformat(timespec="milliseconds"),
        "x-stir-event-type": event.name,
        "x-stir-queue": event.queue,
        "x-stir-exchange": letter.message.exchange,
        "x-stir-routing-key": letter.message.routing_key,
        "x-stir-redelivered": letter.message.redelivered,
    }
    for name in ("expiration", "user_id"):
        if getattr(original, name):
            added[f"x-stir-original-{name}"] = getattr(original, name)
    kept = {name: getattr(original, name) for name in _KEPT_PROPERTIES}
    # x-delivery-count is RabbitMQ's own and would be wrong in the new queue.
    headers = {key: value for key, value in (original.headers or {}).items() if key != "x-delivery-count"}
    properties = pika.BasicProperties(**kept, delivery_mode=2, headers=headers | added)
    if not _fits(properties):
        properties.headers = added | {"x-stir-original-headers": "dropped: too large to carry along"}
    return properties


def _fits(properties: pika.BasicProperties) -> bool:
    try:
        return sum(len(part) for part in properties.encode()) < _MAX_HEADER_BYTES
    except Exception:  # a header value that can be received but not sent
        return False


class DeadLetters:
    """The way into the dead-letter queue of one event type."""

    def __init__(self, event: EventType, settings: Settings) -> None:
        self.event = event
        self.settings = settings
        self.trouble = ""  # why the last attempt failed, for /readyz: until it succeeds, the queue waits

    def publish(self, letters: Sequence[DeadLetter], claim: Claim) -> None:
        """Move messages to the dead-letter queue; returns when RabbitMQ has confirmed them all.

        A crash between the confirmation and the acknowledgement of the originals moves them again: a dead letter may
        appear twice, it is never missing.

        Raises:
            Abandoned: the messages went back to RabbitMQ meanwhile.
        """
        remaining = list(letters)
        retrying = Retrying(
            sleep=sleep_using_event(claim),
            wait=wait_random_exponential(multiplier=0.2, max=self.settings.reconnect_max_seconds),
            retry=retry_if_exception_type(broker_errors.UNREACHABLE),
            before_sleep=self._report,
            reraise=True,
        )
        try:
            retrying(self._publish, remaining, claim)
        finally:
            self.trouble = ""

    def _publish(self, remaining: list[DeadLetter], claim: Claim) -> None:
        """One connection per visit: poison is rare, and a connection that idles here could not serve its heartbeats."""
        if claim.lost:
            raise Abandoned
        connection = pika.BlockingConnection(topology.connection_parameters(self.settings))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            while remaining:
                if claim.lost:
                    raise Abandoned
                self._publish_one(connection, channel, remaining[0])
                letter = remaining.pop(0)
                metrics.DEAD.labels(self.event.queue, letter.poison.reason.value).inc()
                log.warning(
                    "message moved to the dead-letter queue",
                    extra={
                        "queue": self.event.queue,
                        "dead_queue": self.event.dead_queue,
                        "reason": letter.poison.reason.value,
                        "detail": letter.poison.detail,
                        "bytes": len(letter.message.body),
                    },
                )
        finally:
            if connection.is_open:
                connection.close()

    def _publish_one(self, connection: pika.BlockingConnection, channel, letter: DeadLetter) -> None:
        try:
            channel.basic_publish(
                topology.DEAD_EXCHANGE,
                self.event.queue,
                redact(letter.message.body) if self.event.redacted else letter.message.body,
                properties_of(letter, self.event, datetime.now(UTC)),
                mandatory=True,
            )
        except (UnroutableError, ChannelClosedByBroker):  # somebody deleted the dead-letter queue or its exchange
            topology.declare(connection, [self.event])
            raise

    def _report(self, state: RetryCallState) -> None:
        error = state.outcome.exception()
        self.trouble = f"{self.event.dead_queue}: {self._why(error)}"
        metrics.RETRIES.labels(self.event.queue, "dead letter", type(error).__name__).inc()
        log.warning(
            "dead letter could not be published, will be repeated",
            extra={"queue": self.event.queue, "attempt": state.attempt_number, "error": self.trouble},
        )

    def _why(self, error: BaseException) -> str:
        if isinstance(error, NackError):
            return (
                "RabbitMQ takes no more dead letters, so it is full, or has lost its majority. "
                "Make room by `dlq replay`, `dlq export --remove` or `dlq purge`, or raise its limit"
            )
        if isinstance(error, UnroutableError):
            return "it was not there and is declared again"
        return broker_errors.explain(error, self.settings)
