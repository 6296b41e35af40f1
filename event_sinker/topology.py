"""Exchanges, queues and bindings in RabbitMQ, declared at every connect. Declaring twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from event_sinker.errors import SinkerError
from event_sinker.events import EventType
from event_sinker.settings import Settings

DEAD_EXCHANGE = "dead.dx"

# A crash raises the delivery count of every message that a sinker held, and RabbitMQ 4 dead-letters after 20 by
# default: good events would be thrown out by a few restarts. So the limit is set, and set where no crash loop gets
# to.
DELIVERY_LIMIT = 1_000_000

# Looking at a dead letter delivers it; with RabbitMQ 4's default limit it would vanish after being looked at 20 times.
DEAD_QUEUE_ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def connection_parameters(settings: Settings) -> pika.ConnectionParameters:
    """How this process reaches RabbitMQ."""
    return pika.ConnectionParameters(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        virtual_host=settings.rabbitmq_vhost,
        credentials=pika.PlainCredentials(settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value()),
        heartbeat=settings.rabbitmq_heartbeat_seconds,
        socket_timeout=5,
        stack_timeout=10,
        blocked_connection_timeout=30,
        client_properties={"connection_name": "event_sinker"},
    )


def queue_arguments(event: EventType) -> dict[str, object]:
    """Arguments of an event queue: replicated, and whatever is rejected lands in its dead-letter queue."""
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": event.queue,
        "x-delivery-limit": DELIVERY_LIMIT,
    }


def declare(connection: pika.BlockingConnection, events: Iterable[EventType]) -> None:
    """Declare everything that the events need.

    Raises:
        SinkerError: a queue or exchange of that name exists with other arguments; the text says how to migrate.
    """
    _declare(
        connection,
        f"exchange {DEAD_EXCHANGE}",
        lambda channel: channel.exchange_declare(DEAD_EXCHANGE, "direct", durable=True),
    )
    for event in events:
        _declare(
            connection,
            f"exchange {event.exchange}",
            lambda channel, event=event: channel.exchange_declare(event.exchange, "direct", durable=True),
        )
        _declare(
            connection,
            f"queue {event.dead_queue}",
            lambda channel, event=event: channel.queue_declare(
                event.dead_queue, durable=True, arguments=DEAD_QUEUE_ARGUMENTS
            ),
        )
        _declare(
            connection,
            f"queue {event.queue}",
            lambda channel, event=event: channel.queue_declare(
                event.queue, durable=True, arguments=queue_arguments(event)
            ),
        )
        with connection.channel() as channel:
            channel.queue_bind(event.dead_queue, DEAD_EXCHANGE, event.queue)
            channel.queue_bind(event.queue, event.exchange, event.routing_key)


def _declare(connection: pika.BlockingConnection, what: str, declaration) -> None:
    channel: BlockingChannel = connection.channel()
    try:
        declaration(channel)
    except ChannelClosedByBroker as error:
        if error.reply_code != 406:  # PRECONDITION_FAILED
            raise
        raise SinkerError(f"{what} exists with other arguments ({error.reply_text}). {_migration(what)}") from None
    channel.close()


def _migration(what: str) -> str:
    kind, name = what.split(" ", 1)
    if kind == "exchange":
        return (
            f"Stop its users, delete {name} and start the sinker, "
            "which declares it as a durable direct exchange and binds its queues."
        )
    return (
        "RabbitMQ cannot change a queue in place. To migrate without loss: "
        f"1. bind a temporary durable queue to the exchange and routing key of {name}, then unbind {name}; "
        f"2. let the old consumer of {name}, or a shovel into the temporary queue, empty it; "
        f"3. delete {name} and start the sinker, which declares it as a quorum queue; "
        f"4. shovel the temporary queue into {name} and delete it."
    )
