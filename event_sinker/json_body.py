"""Bytes of a body -> a JSON value, without losing a digit.

Integers keep every digit however long they are; a lone surrogate (half an emoji, which JSON can spell but no UTF-8
text can hold) becomes U+FFFD. Duplicate keys: the last one counts.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from event_sinker.poison import Poison, Reason

_LONG_NUMBER = re.compile(rb"-?[0-9.]{19,}")
_DIGITS_AS_ZEROS = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_NINETEEN_DIGITS = b"0" * 19


def _outgrows_64_bits(body: bytes) -> bool:
    """Whether a number may lose digits in a 64-bit integer or a double. Digits in texts count too: harmless."""
    if _NINETEEN_DIGITS not in body.translate(_DIGITS_AS_ZEROS):  # ten times faster than the regular expression
        return False
    for run in _LONG_NUMBER.findall(body):
        digits = run.lstrip(b"-0.").replace(b".", b"")
        most = 17 if b"." in run else 18 if run.startswith(b"-") else 19
        if len(digits) > most:
            return True
    return False


def _integer(text: str) -> int | orjson.Fragment:
    if len(text) <= 20 and -(1 << 63) <= (number := int(text)) < 1 << 64:
        return number
    return orjson.Fragment(text)


def _constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    return value


def _load_exactly(body: bytes) -> Any:
    """The slow reader: numbers that fit no machine type stay text (`orjson.Fragment`), lone surrogates are replaced."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Poison(Reason.INVALID_UTF8, f"body is not UTF-8 at byte {error.start}") from None
    try:
        loaded = json.loads(text, parse_int=_integer, parse_float=orjson.Fragment, parse_constant=_constant)
        return _without_lone_surrogates(loaded) if "\\ud" in text.lower() else loaded
    except json.JSONDecodeError as error:
        raise Poison(Reason.BROKEN_JSON, f"{error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError) as error:
        raise Poison(Reason.BROKEN_JSON, str(error)[:200]) from None


def load(body: bytes) -> Any:
    """Parse JSON without losing a digit.

    Raises:
        Poison: the body is not JSON.
    """
    if not _outgrows_64_bits(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the slow reader knows the reason, and accepts what only orjson refuses
    return _load_exactly(body)
