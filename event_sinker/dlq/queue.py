"""Dead letters as they lie in RabbitMQ: read, chosen, and taken out or left.

Letters that were delivered and not acknowledged are the queue's again as soon as the channel ends, however this process
ends. So nothing is ever put back by hand. That also keeps their order: RabbitMQ 3.10 shuffles what is requeued by nack,
but not what up to 32 consumers of a channel held when it closed, hence the large windows.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import pika
from pika.exceptions import ChannelClosedByBroker

from event_sinker import broker_errors
from event_sinker.batch import Message
from event_sinker.claim import Claim, clock
from event_sinker.errors import SinkerError
from event_sinker.event_type import EventType
from event_sinker.json_body import load
from event_sinker.poison import Poison
from event_sinker.settings import Settings
from event_sinker.topology import connection_parameters

T = TypeVar("T")

_FIRST_WINDOW = 16
_LARGEST_WINDOW = 4000
_LOCK_SECONDS = 3  # RabbitMQ needs a moment to notice that the last command was killed
_BESIDE_SECONDS = 0.2  # between two looks at work in another thread
_IDLE_SECONDS = 5  # letters that another command holds come back when it ends


@dataclass(frozen=True)
class Letter:
    """One dead letter. `dead_at` is ISO 8601 UTC, or empty when nothing says when it died."""

    message: Message
    reason: str
    detail: str
    column: str
    dead_at: str
    exchange: str
    routing_key: str
    given_id: str = ""  # of an exported letter, whose body may have lost its credentials since

    @property
    def headers(self) -> dict[str, Any]:
        """Without RabbitMQ's count of deliveries, which says how often somebody looked."""
        headers = self.message.properties.headers or {}
        return {name: value for name, value in headers.items() if name != "x-delivery-count"}

    @property
    def id(self) -> str:
        """Ten hex digits over body, message id and time of death; letters that are alike in all three share it."""
        if self.given_id:
            return self.given_id
        message_id = self.message.properties.message_id or ""
        name = message_id if isinstance(message_id, bytes) else message_id.encode()
        return hashlib.sha256(b"\0".join((self.message.body, name, self.dead_at.encode()))).hexdigest()[:10]


def read_letter(message: Message) -> Letter:
    """The letter in a message: by the headers of this sinker, else by those with which RabbitMQ dead-letters."""
    headers = message.properties.headers or {}
    if "x-stir-dead-reason" in headers:
        return Letter(
            message,
            reason=str(headers["x-stir-dead-reason"]),
            detail=str(headers.get("x-stir-dead-detail") or ""),
            column=str(headers.get("x-stir-dead-column") or ""),
            dead_at=str(headers.get("x-stir-dead-at") or ""),
            exchange=str(headers.get("x-stir-exchange") or ""),
            routing_key=str(headers.get("x-stir-routing-key") or ""),
        )
    deaths = headers.get("x-death")
    death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    died = death.get("time")
    keys = death.get("routing-keys") or [""]
    return Letter(
        message,
        reason=str(death.get("reason") or "unknown"),
        detail=f"by another consumer of {death['queue']}" if "queue" in death else "no header says why it is here",
        column="",
        dead_at=died.astimezone(UTC).isoformat(timespec="milliseconds") if isinstance(died, datetime) else "",
        exchange=str(death.get("exchange") or message.exchange),
        routing_key=str(keys[0]),
    )


def event_id(event: EventType, body: bytes) -> str:
    """The id of the event in a body; empty when the body has none or is not JSON."""
    try:
        payload = load(body)
    except Poison:
        return ""
    column = next(column for column in event.columns if column.name == event.id_column)
    values = [payload[key] for key in column.payload_keys if key in payload] if isinstance(payload, dict) else []
    return str(values[0]) if values and isinstance(values[0], str | int) else ""


@dataclass(frozen=True)
class Selection:
    """Which letters a command is about; what is not set does not restrict. `died_before` is a time in UTC."""

    reason: str | None = None
    ids: tuple[str, ...] = ()
    died_before: datetime | None = None

    def matches(self, letter: Letter) -> bool:
        if self.reason and letter.reason != self.reason:
            return False
        if self.ids and letter.id not in self.ids:
            return False
        return not self.died_before or self._is_older(letter.dead_at)

    def _is_older(self, dead_at: str) -> bool:
        try:
            return bool(dead_at) and datetime.fromisoformat(dead_at) < self.died_before
        except (ValueError, TypeError):
            return False


class GaveUp(Exception):
    """Something that ran beside the connection took longer than its caller wanted to wait."""


class DeadLetterQueue:
    """The dead letters of one event type, as many as were there when it was opened.

    `alone`: no second command may take letters out at the same time. RabbitMQ does not enforce exclusive consumers of
    quorum queues, so the lock is an exclusive queue, which lives exactly as long as the connection.
    """

    def __init__(self, settings: Settings, event: EventType, *, alone: bool) -> None:
        self.settings = settings
        self.event = event
        self.alone = alone
        self.count = 0  # letters at the start
        self.seen = 0
        self.missed = 0  # letters that were there at the start, and that others have taken before they were seen here
        self.opened = 0.0  # monotonic
        self.shared = False  # another command holds letters, which are not seen here
        self._windows = 0
        self._held = 0  # delivered and not acknowledged
        self._acknowledged = False

    def __enter__(self) -> Self:
        with self._reaching():
            self._connection = pika.BlockingConnection(connection_parameters(self.settings))
        try:
            with self._reaching():
                self._channel = self._connection.channel()
                self.shared = not self._lock(_LOCK_SECONDS if self.alone else 0)
                if self.shared and self.alone:
                    raise SinkerError(
                        f"{self.event.dead_queue}: another replay, export or purge runs, or one was cut off from "
                        f"RabbitMQ less than {self.settings.rabbitmq_heartbeat_seconds} s ago. Wait for its end"
                    )
                self.opened = time.monotonic()
                self.count = self._ready()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        try:
            if error_type is None:
                with self._reaching():
                    self._complete()
            elif self._acknowledged and issubclass(error_type, SinkerError):
                # What was stored before the error must not come back; without a connection this fails at once.
                with contextlib.suppress(Exception):
                    self._complete()
        finally:
            self._close()

    def letters(self) -> Iterator[Letter]:
        """Every letter that was there at the start, once each, however many arrive meanwhile.

        It reads ahead as many letters as fit into SINKER_BATCH_BYTES, judged by those before.

        Raises:
            SinkerError: the connection was lost.
        """
        size, total = _FIRST_WINDOW, 0
        while self.seen < self.count:
            with self._reaching():
                window = self._take(min(size, self.count - self.seen))
            if not window:
                self.missed = self.count - self.seen
                return
            self.seen += len(window)
            total += sum(len(message.body) for message in window)
            fitting = self.settings.batch_bytes * self.seen // max(1, total)
            size = max(1, min(fitting, 4 * size, _LARGEST_WINDOW))
            while window:
                yield read_letter(window.popleft())

    def acknowledge(self, tags: list[int]) -> None:
        """Take letters, by the tags of their messages, out of the queue. It is certain at the end of the `with` block.

        Raises:
            SinkerError: the connection was lost; all or some of them may still be in the queue.
        """
        with self._reaching():
            for tag in tags:
                self._channel.basic_ack(tag)
            self._held -= len(tags)
            self._acknowledged = True

    def new_claim(self) -> Claim:
        """The claim to the letters in hand, and to be the only command that takes any out; see `run_beside`."""
        asked = clock()
        with self._reaching():
            self._ready()
        return Claim(self.settings.claim_seconds(), asked)

    def run_beside(
        self, work: Callable[[], T], give_up: Callable[[], bool] = lambda: False, claim: Claim | None = None
    ) -> T:
        """Do something that takes long in a thread of its own; meanwhile answer heartbeats and renew the claim.

        Raises:
            SinkerError: the connection was lost; the work may still go on.
            GaveUp: `give_up` said so, likewise.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            with contextlib.suppress(Exception):
                self._connection.add_callback_threadsafe(lambda: None)  # ends the wait below

        threading.Thread(target=run, daemon=True).start()
        while not future.done():
            with self._reaching():
                self._connection.process_data_events(time_limit=_BESIDE_SECONDS)
                if claim and claim.must_ask(asked := clock()):
                    self._ready()
                    claim.confirmed(asked)
            if not future.done() and give_up():
                raise GaveUp
        return future.result()

    def serve(self) -> None:
        """Answer heartbeats once; to be called several times a minute by whoever waits."""
        with self._reaching():
            self._connection.process_data_events(0)

    def _take(self, count: int) -> deque[Message]:
        """The next letters: that many, or fewer when others hold the rest."""
        deadline, before = time.monotonic() + _IDLE_SECONDS, 0

        def enough(window: deque[Message]) -> bool:
            nonlocal deadline, before
            if len(window) > before or (len(window) < count and self._ready()):
                deadline, before = time.monotonic() + _IDLE_SECONDS, len(window)
            return len(window) >= count or time.monotonic() > deadline

        window = self._consume(enough, prefetch=count)
        self._held += len(window)
        return window

    def _consume(self, enough: Callable[[deque[Message]], bool], prefetch: int) -> deque[Message]:
        """Subscribe until it is enough. The consumer ends then, so that nothing arrives while letters are worked on."""
        window: deque[Message] = deque()

        def receive(_channel, method, properties: pika.BasicProperties, body: bytes) -> None:
            # An earlier holder lost its letters before this command got the lock: that is when they arrived here.
            window.append(
                Message(
                    body,
                    method.delivery_tag,
                    method.redelivered,
                    properties,
                    self.opened,
                    method.exchange,
                    method.routing_key,
                )
            )

        self._channel.basic_qos(prefetch_count=prefetch)
        # The names sort by age: in this order RabbitMQ returns what they hold.
        tag = self._channel.basic_consume(self.event.dead_queue, receive, consumer_tag=f"dlq-{self._windows:06}")
        self._windows += 1
        while not enough(window):
            self._connection.process_data_events(time_limit=1)
        self._channel.basic_cancel(tag)
        return window

    def _ready(self) -> int:
        return self._channel.queue_declare(self.event.dead_queue, passive=True).method.message_count

    def _lock(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while True:
            channel = self._connection.channel()
            try:
                channel.queue_declare(f"{self.event.dead_queue}.lock", exclusive=True)
                return True
            except ChannelClosedByBroker as error:
                if error.reply_code != 405:  # RESOURCE_LOCKED
                    raise
            if time.monotonic() >= deadline:
                return False
            self._connection.sleep(0.2)

    def _complete(self) -> None:
        """Wait until what was acknowledged is out of the queue and what was not is back in it.

        RabbitMQ passes a few dozen acknowledgements on to a quorum queue and keeps the rest until those are applied;
        what it still keeps when the channel closes is lost. A new consumer is queued behind the former; by its end
        RabbitMQ has passed on the latter, and the end is queued behind these.
        """
        if self._acknowledged:
            self._held += len(self._consume(lambda _window: True, prefetch=1))
        self._channel.close()
        self._channel = self._connection.channel()
        deadline = time.monotonic() + _IDLE_SECONDS
        while self._ready() < self._held and time.monotonic() < deadline:
            self._connection.sleep(0.05)

    def _close(self) -> None:
        # A signal may have left the connection in the middle of anything; RabbitMQ notices the end in any case.
        with contextlib.suppress(Exception):
            self._connection.close()

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except broker_errors.UNREACHABLE as error:
            if isinstance(error, ChannelClosedByBroker) and error.reply_code == 404:  # NOT_FOUND
                hint = f" (queue {self.event.dead_queue} is declared by `run`)"
            elif self.opened:
                hint = "; letters that were not taken out are still in the queue, run the command again"
            else:
                hint = ""
            raise SinkerError(f"{broker_errors.explain(error, self.settings)}{hint}") from None
