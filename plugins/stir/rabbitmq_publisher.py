"""Publishes messages to RabbitMQ so that a message counts as sent only when the broker has it on disk in a queue.

Persistent delivery, publisher confirms and the mandatory flag: a broker restart loses nothing, and a routing key to
which no queue is bound is an error instead of silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker, NackError, UnroutableError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

log = logging.getLogger(__name__)

CONNECTION = "rabbitmq_connection"
CONNECT_TRIES = 4
BLOCKED_SECONDS = 60
NOT_FOUND = 404


class PublishError(Exception):
    """The broker could not be reached, or did not take a message. The message says which and what to do."""


@dataclass(frozen=True)
class Route:
    """Where messages go. The direct exchange is declared durable; "" is RabbitMQ's default exchange, where the key is
    the name of a queue, which is declared durable if it does not exist.
    """

    exchange: str
    routing_key: str

    def __str__(self) -> str:
        return f"exchange {self.exchange or '(default)'} with routing key {self.routing_key}"


class Publisher:
    """A channel in confirm mode. Made by `connected`."""

    def __init__(self, channel: BlockingChannel, route: Route) -> None:
        self._channel, self._route = channel, route

    def publish(self, body: bytes, message_id: str) -> None:
        """Publish one JSON message and return once the broker has confirmed it.

        Raises PublishError when no queue is bound (UnroutableError), the broker rejects it (full queue) or the
        connection breaks.
        """
        properties = pika.BasicProperties(
            delivery_mode=pika.DeliveryMode.Persistent,
            content_type="application/json",
            message_id=message_id,
            app_id="stir",
        )
        try:
            self._channel.basic_publish(
                self._route.exchange, self._route.routing_key, body, properties=properties, mandatory=True
            )
        except UnroutableError as error:
            raise PublishError(
                f"no queue is bound to {self._route}: the message came back. Its consumer must declare and bind it"
            ) from error
        except NackError as error:
            raise PublishError(
                f"RabbitMQ rejected a message for {self._route}: the queue is full or failing"
            ) from error
        except AMQPError as error:
            raise PublishError(f"the connection to RabbitMQ broke while publishing: {error!r}") from error


@contextmanager
def connected(parameters: pika.ConnectionParameters, route: Route) -> Iterator[Publisher]:
    """Connection with a confirming channel, the exchange or queue declared. Closed on exit. Raises PublishError."""
    connection = _connect(parameters)
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        if route.exchange:
            try:
                channel.exchange_declare(route.exchange, exchange_type="direct", durable=True)
            except ChannelClosedByBroker as error:
                raise PublishError(
                    f"exchange {route.exchange} exists but is not a durable direct exchange: {error.reply_text}"
                ) from error
        else:
            _ensure_queue(connection, route.routing_key)
        yield Publisher(channel, route)
    finally:
        with suppress(AMQPError):
            connection.close()


def parameters_from_airflow() -> pika.ConnectionParameters:
    """Host, port, login, password and virtual host (schema) of connection `rabbitmq_connection`."""
    from airflow.sdk import Connection

    connection = Connection.get(CONNECTION)
    return pika.ConnectionParameters(
        host=connection.host or "127.0.0.1",
        port=connection.port or 5672,
        virtual_host=connection.schema or "/",
        credentials=pika.PlainCredentials(connection.login or "", connection.password or ""),
        blocked_connection_timeout=BLOCKED_SECONDS,
        socket_timeout=10,
        stack_timeout=20,
        heartbeat=60,
    )


def _ensure_queue(connection: Any, queue: str) -> None:
    """Declare a plain durable queue unless there is one, of whatever kind, already."""
    try:
        connection.channel().queue_declare(queue, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code != NOT_FOUND:
            raise PublishError(f"queue {queue} cannot be used: {error.reply_text}") from error
        log.warning("queue %s did not exist and is declared; its consumer has not been here yet", queue)
        connection.channel().queue_declare(queue, durable=True)


def _connect(parameters: pika.ConnectionParameters) -> Any:
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(AMQPConnectionError),
            stop=stop_after_attempt(CONNECT_TRIES),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            reraise=True,
        ):
            with attempt:
                return pika.BlockingConnection(parameters)
    except AMQPConnectionError as error:
        raise PublishError(
            f"RabbitMQ at {parameters.host}:{parameters.port} (connection {CONNECTION}) cannot be used: {error!r}. "
            "Check the broker, the virtual host and the login"
        ) from error
