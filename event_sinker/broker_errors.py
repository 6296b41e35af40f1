"""What RabbitMQ's refusals mean, and what a person can do about them.

None of them ends the service: a password may be rotated and a right granted while it runs. But each is named.
"""

from __future__ import annotations

import re
import socket
import ssl

from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from event_sinker.settings import Settings

UNREACHABLE = (AMQPError, AMQPConnectorException, OSError)
"""What pika raises when RabbitMQ is away, hangs or refuses; the second is a handshake without an answer."""

_REPLY = re.compile(r"\((\d{3})\) [\"'](.*)[\"']")
_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


def explain(error: BaseException, settings: Settings) -> str:
    """One line for a person: what went wrong and, where known, what to do."""
    address = f"RabbitMQ at {settings.rabbitmq_host}:{settings.rabbitmq_port}"
    user, vhost = settings.rabbitmq_user, settings.rabbitmq_vhost
    grant = f"rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'"
    cause = _cause(error)
    code, text = _reply(cause)
    said = f" ({text})" if text else ""
    if isinstance(cause, ChannelClosedByBroker) and code == _ACCESS_REFUSED:
        return f"{address}: user {user} lacks a right in virtual host {vhost}{said}: {grant}"
    if isinstance(cause, AuthenticationError | ProbableAuthenticationError) or code == _ACCESS_REFUSED:
        return (
            f"{address} refuses the login of user {user}{said}: check SINKER_RABBITMQ_USER and "
            f"SINKER_RABBITMQ_PASSWORD, or set the password: rabbitmqctl change_password {user}"
        )
    if isinstance(cause, ProbableAccessDeniedError) or code == _NOT_ALLOWED:
        return (
            f"{address} does not let user {user} into virtual host {vhost}{said}: check SINKER_RABBITMQ_VHOST, or "
            f"create it (rabbitmqctl add_vhost {vhost}) and grant it: {grant}"
        )
    if isinstance(cause, socket.gaierror):
        return f"{address}: no such host ({cause.strerror}): check SINKER_RABBITMQ_HOST"
    if isinstance(cause, ssl.SSLError):
        return f"{address}: TLS failed: {cause}. Check SINKER_RABBITMQ_SECURE, _PORT and _CA_FILE"
    return f"{address}: {cause!r}"[:300]


def _reply(error: BaseException) -> tuple[int | None, str]:
    """Code and text with which RabbitMQ closed. While a connection opens, pika has them only inside a text."""
    if isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker):
        return error.reply_code, error.reply_text
    found = _REPLY.search(str(error))
    return (int(found[1]), found[2]) if found else (None, "")


def _cause(error: BaseException) -> BaseException:
    """The innermost exception: pika wraps those of the system into its own."""
    for inner in (*getattr(error, "exceptions", ())[-1:], getattr(error, "exception", None), *error.args):
        if isinstance(inner, BaseException):
            return _cause(inner)
    return error
