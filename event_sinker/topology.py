"""Exchanges, queues and bindings in RabbitMQ, declared at every connect. Declaring twice changes nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from event_sinker import header_values
from event_sinker.errors import SinkerError
from event_sinker.events import EventType
from event_sinker.settings import Settings

header_values.install()  # before any connection is made

DEAD_EXCHANGE = "dead.dx"

# A crash raises the delivery count of every message that a sinker held, and RabbitMQ 4 dead-letters after 20 by
# default: good events would be thrown out by a few restarts. So the limit is set, and set where no crash loop gets
# to.
DELIVERY_LIMIT = 1_000_000

_DECLARING_HEARTBEAT = 5  # seconds; pika looks for silence every 10 s then

# Looking at a dead letter delivers it; with RabbitMQ 4's default limit it would vanish after being looked at 20 times.
DEAD_QUEUE_ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def connection_parameters(settings: Settings) -> pika.ConnectionParameters:
    """How this process reaches RabbitMQ."""
    tls = None
    if settings.rabbitmq_secure:
        context = ssl.create_default_context(cafile=settings.rabbitmq_ca_file or None)
        tls = pika.SSLOptions(context, settings.rabbitmq_host)
    return pika.ConnectionParameters(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        virtual_host=settings.rabbitmq_vhost,
        credentials=pika.PlainCredentials(settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value()),
        ssl_options=tls,
        heartbeat=settings.rabbitmq_heartbeat_seconds,
        socket_timeout=5,
        stack_timeout=10,
        blocked_connection_timeout=30,
        client_properties={"connection_name": "event_sinker"},
    )


def declaring_parameters(settings: Settings) -> pika.ConnectionParameters:
    """The same for a connection that only declares: a broker that hangs in the middle is noticed within 20 s."""
    parameters = connection_parameters(settings)
    parameters.heartbeat = _DECLARING_HEARTBEAT
    return parameters


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
        SinkerError: queues or the dead-letter exchange exist with other arguments; the text names all of them and says
            how to migrate.
    """
    conflicts: list[str] = []
    _declare(
        connection,
        conflicts,
        DEAD_EXCHANGE,
        lambda channel: channel.exchange_declare(DEAD_EXCHANGE, "direct", durable=True),
    )
    for event in events:
        _require_exchange(connection, event.exchange)
        for queue, arguments in ((event.dead_queue, DEAD_QUEUE_ARGUMENTS), (event.queue, queue_arguments(event))):
            _declare(
                connection,
                conflicts,
                queue,
                lambda channel, queue=queue, arguments=arguments: channel.queue_declare(
                    queue, durable=True, arguments=arguments
                ),
            )
        if not conflicts:
            with connection.channel() as channel:
                channel.queue_bind(event.dead_queue, DEAD_EXCHANGE, event.queue)
                channel.queue_bind(event.queue, event.exchange, event.routing_key)
    if conflicts:
        exchange = sum(text.startswith(f"{DEAD_EXCHANGE} (") for text in conflicts)
        remedies = [_EXCHANGE_MIGRATION] * exchange + [_MIGRATION] * (len(conflicts) > exchange)
        raise SinkerError(f"RabbitMQ has with other arguments: {'; '.join(conflicts)}. {'. '.join(remedies)}")


def _require_exchange(connection: pika.BlockingConnection, name: str) -> None:
    """Exchanges belong to the publishers: one that exists is taken as it is, whatever its type and arguments."""
    channel = connection.channel()
    try:
        channel.exchange_declare(name, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code != 404:  # NOT_FOUND
            raise
        channel = connection.channel()
        channel.exchange_declare(name, "direct", durable=True)
    channel.close()


def _declare(connection: pika.BlockingConnection, conflicts: list[str], name: str, declaration) -> None:
    channel: BlockingChannel = connection.channel()
    try:
        declaration(channel)
    except ChannelClosedByBroker as error:
        if error.reply_code != 406:  # PRECONDITION_FAILED
            raise
        conflicts.append(f"{name} ({error.reply_text})")
    else:
        channel.close()


_MIGRATION = (
    "It cannot change a queue in place. To migrate each of them without loss: "
    "1. bind a temporary durable queue to its exchange and routing key, then unbind the queue; "
    "2. let its old consumer, or a shovel into the temporary queue, empty it; "
    "3. delete it and start the sinker, which declares it as a quorum queue; "
    "4. unbind the temporary queue, shovel it into the new one and delete it. "
    "An event that is published while two queues are bound is in both, and a shovelled copy is a new message. Pause "
    "the publishers for as long; or let one sinker process alone serve the queue until step 4 is done, not restarted, "
    "with SINKER_RECENT_IDS above the depth of the temporary queue: it drops the second copies (not of events that the "
    "old consumer stored). "
    "Until then, SINKER_EVENT_TYPES can name the event types that are ready"
)
_EXCHANGE_MIGRATION = (
    f"The exchange {DEAD_EXCHANGE} must be direct and durable. Stop the sinkers, delete it, start them: they declare "
    "it and bind the dead-letter queues again, which keep their messages. If others use it, bind their queues anew"
)
