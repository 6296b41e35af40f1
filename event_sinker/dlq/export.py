"""Dead letters as JSON lines, in a local file or an S3 object, and letters from such a file.

A target appears whole or not at all, and never replaces one that is there.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Protocol

import orjson
import pika

from event_sinker.batch import Message
from event_sinker.dlq.queue import Letter
from event_sinker.errors import SinkerError
from event_sinker.event_type import EventType
from event_sinker.redact import redact

_PROPERTIES = (
    "content_type",
    "content_encoding",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)


def json_safe(value: Any) -> Any:
    """A header value as JSON: times as ISO 8601 text in UTC, decimals as text, bytes as {"base64": "..."}."""
    if isinstance(value, dict):
        return {_text(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def properties_of(letter: Letter) -> dict[str, Any]:
    """The AMQP properties that are set, but for the headers."""
    properties = {name: getattr(letter.message.properties, name) for name in _PROPERTIES}
    return {name: json_safe(value) for name, value in properties.items() if value is not None}


def body_of(letter: Letter, event: EventType) -> bytes:
    """The body, without credentials where the event type has any: other consumers reject it as it came."""
    return redact(letter.message.body) if event.redacted else letter.message.body


def as_record(letter: Letter, event: EventType) -> dict[str, Any]:
    """The JSON object of one letter. A body that is no UTF-8 is `body_base64` instead of `body`."""
    body = body_of(letter, event)
    record = {
        "id": letter.id,
        "event_type": event.name,
        "reason": letter.reason,
        "detail": letter.detail,
        "column": letter.column,
        "dead_at": letter.dead_at,
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "headers": json_safe(letter.headers),
        "properties": properties_of(letter),
    }
    try:
        return record | {"body": body.decode()}
    except UnicodeDecodeError:
        return record | {"body_base64": base64.b64encode(body).decode()}


class Target(Protocol):
    """Where an export goes. `str` of it is its name."""

    def require_absent(self) -> None:
        """Raises FileExistsError when it is there already."""

    def open(self) -> BinaryIO:
        """A temporary file for the content."""

    def publish(self) -> None:
        """The content is complete: when this returns, the target is there and safe. Raises FileExistsError likewise."""

    def discard(self) -> None:
        """Remove the temporary file, whatever happened."""


class LocalFile:
    """A file, readable by its owner only: letters may hold personal data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name[:100]}.{token_hex(4)}.part")

    def __str__(self) -> str:
        return str(self._path)

    def require_absent(self) -> None:
        if self._path.exists() or self._path.is_symlink():
            raise FileExistsError

    def open(self) -> BinaryIO:
        self._file = os.fdopen(os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        return self._file

    def publish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        try:
            os.link(self._temporary, self._path)  # unlike a rename it replaces nothing
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            self.require_absent()
            self._temporary.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


def target_of(text: str) -> Target:
    """The target that `--to` names.

    Raises:
        SinkerError: it is no s3://bucket/key.
    """
    if not text.startswith("s3://"):
        return LocalFile(Path(text))
    from event_sinker.dlq.export_s3 import (
        S3Object,  # the service shares this program and shall not carry boto3 in memory
    )

    return S3Object(text)


def write(
    letters: Iterable[Letter], event: EventType, target: Target, beside: Callable[[Callable[[], None]], None]
) -> int:
    """Write letters to a target that is not there yet; returns their number. Without any, nothing is written.

    `beside` runs what takes long. When this returns, the target is safe.

    Raises:
        SinkerError: the target exists, or cannot be written.
    """
    try:
        target.require_absent()
        file = target.open()
        try:
            count = 0
            for letter in letters:
                file.write(orjson.dumps(as_record(letter, event), option=orjson.OPT_APPEND_NEWLINE))
                count += 1
            if count:
                beside(target.publish)
            return count
        finally:
            target.discard()
    except FileExistsError:
        raise SinkerError(f"{target} exists already and is not replaced. Choose another name, or remove it") from None
    except OSError as error:
        raise SinkerError(f"{target}: {error.strerror or error}. No letter was taken out of the queue") from None


def read(path: Path, event: EventType) -> Iterator[Letter]:
    """The letters of an exported file; the tag of each message is its line.

    Raises:
        SinkerError: the file cannot be read, or a line is no exported letter of this event type.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield _letter(line, number, event)
                    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
                        problem = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
                        raise SinkerError(
                            f"{path}, line {number}: {problem}. Expected what `dlq export` writes for {event.name}"
                        ) from None
    except OSError as error:
        raise SinkerError(f"{path}: {error.strerror}") from None


def _letter(line: bytes, number: int, event: EventType) -> Letter:
    record = orjson.loads(line)
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    if record["event_type"] != event.name:
        raise ValueError(f"the event type is {record['event_type']}")
    if "body_base64" in record:
        body = base64.b64decode(record["body_base64"], validate=True)
    else:
        body = record["body"].encode()
    return Letter(
        Message(
            body,
            number,
            True,
            pika.BasicProperties(),
            time.monotonic(),
            record["exchange"],
            record["routing_key"],
        ),
        **{name: record[name] for name in ("reason", "detail", "column", "dead_at", "exchange", "routing_key")},
        given_id=record["id"],
    )
