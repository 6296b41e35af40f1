"""Confirmed publishing to RabbitMQ at full speed, and the address of the broker.

Publisher confirms are pipelined: messages go out without waiting, confirmations come back in ranges. Every message is
persistent and mandatory, so one that no queue takes comes back instead of vanishing.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

import pika
from pika.adapters.select_connection import SelectConnection

from devstack.beat.events import CONTENT_TYPE, EXCHANGE, Message
from event_sinker import topology
from event_sinker.events import EVENT_TYPES

WINDOW = 4_000  # unconfirmed messages in flight; more only costs memory on both sides
_EXCHANGES = {event.routing_key: event.exchange for event in EVENT_TYPES.values()}
_PERSISTENT = pika.BasicProperties(content_type=CONTENT_TYPE, content_encoding="utf-8", delivery_mode=2)


class PublishError(Exception):
    """The broker cannot be reached, refused a message, or has no queue for it; says which and what to do."""


def parameters(environment: Mapping[str, str] | None = None) -> pika.ConnectionParameters:
    """Address of RabbitMQ: `SINKER_RABBITMQ_*`, else `AIRFLOW_CONN_RABBITMQ_CONNECTION` in its JSON form."""
    variables = os.environ if environment is None else environment
    if variables.get("SINKER_RABBITMQ_HOST"):
        host, port = variables["SINKER_RABBITMQ_HOST"], variables.get("SINKER_RABBITMQ_PORT", "5672")
        user, password = variables.get("SINKER_RABBITMQ_USER", "stir"), variables.get("SINKER_RABBITMQ_PASSWORD", "")
        vhost = variables.get("SINKER_RABBITMQ_VHOST", "/")
    elif variables.get("AIRFLOW_CONN_RABBITMQ_CONNECTION"):
        try:
            fields = json.loads(variables["AIRFLOW_CONN_RABBITMQ_CONNECTION"])
            host, port = fields["host"], str(fields.get("port") or 5672)
            user, password, vhost = fields["login"], fields["password"], fields.get("schema") or "/"
        except (ValueError, KeyError) as error:
            raise PublishError(
                "AIRFLOW_CONN_RABBITMQ_CONNECTION must be JSON with host, port, login, password and schema: "
                f"{type(error).__name__} {error}"
            ) from error
    else:
        raise PublishError('SINKER_RABBITMQ_HOST is not set. For the local stack: eval "$(python -m devstack env)"')
    return pika.ConnectionParameters(
        host=host,
        port=int(port),
        virtual_host=vhost,
        credentials=pika.PlainCredentials(user, password),
        heartbeat=60,
        connection_attempts=1,
        socket_timeout=10,
        blocked_connection_timeout=120,  # the broker stops publishers while it is short of memory or disk
        client_properties={"connection_name": "beat"},
    )


def declare_queues(parameters: pika.ConnectionParameters) -> None:
    """Declare the event queues as the sinker declares them, so that nothing published before its start is lost."""
    try:
        connection = pika.BlockingConnection(parameters)
    except pika.exceptions.AMQPError as error:
        raise PublishError(
            f"RabbitMQ at {parameters.host}:{parameters.port} cannot be used: {type(error).__name__} {error}. "
            "Is it running (make up)?"
        ) from error
    try:
        topology.declare(connection, EVENT_TYPES.values())
    finally:
        connection.close()


def publish(
    messages: Iterable[Message],
    connection: pika.ConnectionParameters,
    on_confirmed: Callable[[int], None] = lambda count: None,
) -> int:
    """Publish all messages and return their number when the broker has confirmed each of them.

    `on_confirmed` is called with the running total of confirmed messages. PublishError: the connection failed, or a
    message was returned or refused; messages before it may have been taken (their event ids make repetition harmless).
    """
    run = _Run(iter(messages), on_confirmed)
    run.connect(connection)
    run.wait()
    if run.error:
        raise PublishError(run.error)
    return run.confirmed


class _Run:
    """One connection that publishes an iterator of messages and ends."""

    def __init__(self, messages: Iterator[Message], on_confirmed: Callable[[int], None]) -> None:
        self.messages = messages
        self.on_confirmed = on_confirmed
        self.confirmed = 0
        self.error = ""
        self._unconfirmed: deque[int] = deque()
        self._settled_out_of_order: set[int] = set()
        self._next_tag = 1
        self._exhausted = False
        self._ended = False
        self._failure: BaseException | None = None

    def connect(self, connection: pika.ConnectionParameters) -> None:
        self._connection = SelectConnection(
            connection,
            on_open_callback=lambda opened: opened.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda _, error: self._end(f"RabbitMQ at {_address(connection)}: {_text(error)}"),
            on_close_callback=self._lost,
        )

    def wait(self) -> None:
        self._connection.ioloop.start()
        if self._failure is not None:
            raise self._failure

    def _opened(self, channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._closed)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._settled, callback=lambda _: self._declare())

    def _declare(self) -> None:
        self._channel.exchange_declare(EXCHANGE, "direct", durable=True, callback=lambda _: self._send())

    def _send(self) -> None:
        try:
            while not self._exhausted and not self._ended and len(self._unconfirmed) < WINDOW:
                message = next(self.messages, None)
                if message is None:
                    self._exhausted = True
                    break
                exchange = _EXCHANGES.get(message.routing_key, EXCHANGE)
                self._channel.basic_publish(exchange, message.routing_key, message.body, _PERSISTENT, mandatory=True)
                self._unconfirmed.append(self._next_tag)
                self._next_tag += 1
        except Exception as failure:  # of the iterator; it must surface in the caller, not in pika's loop
            self._failure = failure
            self._end(f"{type(failure).__name__}")
        if self._exhausted and not self._unconfirmed:
            self._end("")

    def _settled(self, frame) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._end(f"RabbitMQ refused a message (delivery tag {method.delivery_tag}); its queue may be full or gone")
            return
        before = self.confirmed
        if method.multiple:
            while self._unconfirmed and self._unconfirmed[0] <= method.delivery_tag:
                self._confirm(self._unconfirmed.popleft())
        else:
            self._settled_out_of_order.add(method.delivery_tag)
        # After a range too: what comes behind it may have been confirmed before it, and nothing else would follow.
        while self._unconfirmed and self._unconfirmed[0] in self._settled_out_of_order:
            self._confirm(self._unconfirmed.popleft())
        if self.confirmed != before:
            self.on_confirmed(self.confirmed)
        if len(self._unconfirmed) < WINDOW // 2 or self._exhausted:
            self._send()

    def _confirm(self, tag: int) -> None:
        self._settled_out_of_order.discard(tag)
        self.confirmed += 1

    def _returned(self, _channel, method, _properties, _body) -> None:
        self._end(
            f"no queue takes {method.exchange}/{method.routing_key}: declare the queues first "
            "(the sinker does it when it starts: python -m event_sinker run)"
        )

    def _closed(self, _channel, reason) -> None:
        """Of the channel. When this run has ended, it is part of closing the connection, which takes a moment more."""
        if not self._ended:
            self._end(f"RabbitMQ closed the channel: {_text(reason)}")

    def _lost(self, _connection, reason) -> None:
        if not self._ended:
            self._ended, self.error = True, f"RabbitMQ closed the connection: {_text(reason)}"
        self._connection.ioloop.stop()

    def _end(self, error: str) -> None:
        if self._ended:
            return
        self._ended, self.error = True, error
        if self._connection.is_open:
            self._connection.close()
        else:
            self._connection.ioloop.stop()


def _address(connection: pika.ConnectionParameters) -> str:
    return f"{connection.host}:{connection.port}"


def _text(error: object) -> str:
    return " ".join(str(part) for part in (type(error).__name__, error) if str(part))[:300]


class Progress:
    """One line that grows at most twice a second: how many of how many, and how fast."""

    def __init__(self, title: str, total: int, write: Callable[[str], None]) -> None:
        self.title, self.total, self.write = title, total, write
        self.begun = self._shown = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._shown >= 0.5:
            self._shown = now
            self.write(f"{self.title}: {done:,} of {self.total:,} ({done / (now - self.begun):,.0f}/s)")
