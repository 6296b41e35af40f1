"""Header values that pika cannot carry: times past the year 9999 and numbers with a fraction.

A publisher that puts milliseconds into a timestamp header makes pika fail while it reads the frame. The connection is
lost, the same message comes again, pika fails again: one message stops every queue. And it cuts 1.5 to 1. Both are
wrong for a program that promises to set a bad message aside with its headers, so the two functions of pika that read
and write a single value are extended here. `tests/event_sinker/test_header_values.py` says when this can go.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pika.data

_read = pika.data.decode_value
_write = pika.data.encode_value

_FRACTIONS = {b"f": (">f", 4), b"d": (">d", 8)}
_LARGEST_SIGNED = (1 << 63) - 1


def _decode_value(encoded: bytes, offset: int) -> tuple[Any, int]:
    kind = encoded[offset : offset + 1]
    if kind in _FRACTIONS:
        layout, size = _FRACTIONS[kind]
        return struct.unpack_from(layout, encoded, offset + 1)[0], offset + 1 + size
    if kind == b"T":
        (seconds,) = struct.unpack_from(">Q", encoded, offset + 1)
        try:
            return datetime.fromtimestamp(seconds, UTC), offset + 9
        except (ValueError, OverflowError, OSError):
            return min(seconds, _LARGEST_SIGNED), offset + 9  # the number as it is
    return _read(encoded, offset)


def _encode_value(pieces: list[bytes], value: Any) -> int:
    if isinstance(value, float):
        pieces.append(struct.pack(">cd", b"d", value))
        return 9
    return _write(pieces, value)


def install() -> None:
    """Make pika read and write every header value. Doing it twice changes nothing."""
    pika.data.decode_value = _decode_value
    pika.data.encode_value = _encode_value
