"""One message body -> one row, or the reason why not. Pure: no clock, no network, no exception but `Poison`.

Values keep what the sender wrote: integers to their last digit however long, decimals in double precision, objects as
compact JSON text with the sender's key order. Times without a zone are UTC. A lone surrogate (half an emoji, which
JSON can spell but no UTF-8 text can hold) becomes U+FFFD. Duplicate keys: the last one counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson

from event_sinker.events import Column, EventType, Rule

Row = tuple[Any, ...]


class Reason(StrEnum):
    """Why a message cannot become a row; the code that its dead letter carries."""

    EMPTY = "empty"
    OVERSIZE = "oversize"
    BROKEN_JSON = "broken_json"
    INVALID_UTF8 = "invalid_utf8"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_KEY = "missing_key"
    WRONG_TYPE = "wrong_type"
    BAD_TIME = "bad_time"
    OUT_OF_RANGE = "out_of_range"
    REFUSED = "refused_by_clickhouse"


class Poison(Exception):
    """A message that can never be stored. The text names the column and what was expected, never the value."""

    def __init__(self, reason: Reason, detail: str, column: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.column = column


@dataclass(frozen=True)
class Limits:
    """Bounds of a believable message: bytes of the body, earliest event time (epoch), seconds ahead of the clock."""

    max_bytes: int = 1 << 20
    min_event_time: int = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp())
    max_future: int = 86_400


# --- JSON -------------------------------------------------------------------------------------------------------------

_LONG_NUMBER = re.compile(rb"[0-9.]{19,}")
_DIGITS_AS_ZEROS = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_NINETEEN_DIGITS = b"0" * 19


def _outgrows_64_bits(body: bytes) -> bool:
    """Whether a number may lose digits in a 64-bit integer or a double. Digits in texts count too: harmless."""
    if _NINETEEN_DIGITS not in body.translate(_DIGITS_AS_ZEROS):  # ten times faster than the regular expression
        return False
    for run in _LONG_NUMBER.findall(body):
        digits = run.lstrip(b"0.").replace(b".", b"")
        if len(digits) > (17 if b"." in run else 19):
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


# --- values -----------------------------------------------------------------------------------------------------------

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_WHOLE = re.compile(r"-?[0-9]{1,20}")


class _Unfit(Exception):
    """A value that does not fit its column."""

    def __init__(self, reason: Reason, expected: str) -> None:
        self.reason = reason
        self.expected = expected


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is float or type(value) is orjson.Fragment:
        return orjson.dumps(value).decode()
    raise _Unfit(Reason.WRONG_TYPE, f"text or a number, not {_json_type(value)}")


def _id(value: Any) -> str:
    text = _text(value)
    if not text or len(text) > 255:
        raise _Unfit(Reason.OUT_OF_RANGE, "1 to 255 characters")
    return text


def _json(value: Any) -> str:
    if type(value) is dict:
        try:
            return orjson.dumps(value).decode()
        except orjson.JSONEncodeError as error:
            raise _Unfit(Reason.OUT_OF_RANGE, f"an object that can be written as JSON ({error})") from None
    if value is None:
        return "{}"
    raise _Unfit(Reason.WRONG_TYPE, f"an object, not {_json_type(value)}")


@lru_cache(maxsize=1 << 16)
def _seconds(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise _Unfit(Reason.BAD_TIME, "YYYY-MM-DD HH:MM:SS, or ISO 8601 with T")
    try:
        time = datetime.fromisoformat(text)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise _Unfit(Reason.BAD_TIME, "a time that exists") from None
    if not 0 <= seconds < 1 << 32:
        raise _Unfit(Reason.BAD_TIME, "a time from 1970 to 2106")
    return int(seconds)


def _time(value: Any) -> int:
    """Epoch seconds; a fraction is cut off, as the columns hold whole seconds."""
    if type(value) is str:
        return _seconds(value)
    raise _Unfit(Reason.WRONG_TYPE, f"a time as text, not {_json_type(value)}")


def _whole(value: Any, low: int, high: int) -> int:
    if type(value) is str and _WHOLE.fullmatch(value):
        value = int(value)
    if type(value) is orjson.Fragment:
        raise _Unfit(Reason.OUT_OF_RANGE, f"a whole number from {low} to {high}")
    if type(value) is not int:
        raise _Unfit(Reason.WRONG_TYPE, f"a whole number, not {_json_type(value)}")
    if not low <= value <= high:
        raise _Unfit(Reason.OUT_OF_RANGE, f"a whole number from {low} to {high}")
    return value


def _json_type(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "an array"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a number")


_CONVERTERS: dict[Rule, Callable[[Any], Any]] = {
    Rule.ID: _id,
    Rule.TEXT: _text,
    Rule.TEXT_OR_EMPTY: lambda value: "" if value is None else _text(value),
    Rule.TEXT_OR_NULL: lambda value: None if value is None else _text(value),
    Rule.JSON: _json,
    Rule.EVENT_TIME: _time,
    Rule.TIME_OR_NULL: lambda value: None if value is None else _time(value),
    Rule.UINT64: lambda value: _whole(value, 0, (1 << 64) - 1),
    Rule.INT32_OR_NULL: lambda value: None if value is None else _whole(value, -(1 << 31), (1 << 31) - 1),
}


# --- rows -------------------------------------------------------------------------------------------------------------


class Parser:
    """Turns bodies of one event type into rows."""

    def __init__(self, event: EventType, limits: Limits | None = None) -> None:
        self.event = event
        self.limits = limits or Limits()
        self._time_index = event.column_names.index(event.time_column)
        self._steps = [(column, _CONVERTERS.get(column.rule)) for column in event.columns]

    def row(self, body: bytes, now: int, batch_id: str) -> Row:
        """The row of one body, in the order of `event.columns`; times as epoch seconds.

        `now` (epoch seconds) becomes the time of parsing, `batch_id` the name of the insert that will carry the row.

        Raises:
            Poison: the message can never be stored, with the reason; nothing else is ever raised.
        """
        if not body:
            raise Poison(Reason.EMPTY, "the body is empty")
        if len(body) > self.limits.max_bytes:
            raise Poison(Reason.OVERSIZE, f"{len(body)} bytes; the limit is {self.limits.max_bytes}")
        payload = load(body)
        if type(payload) is not dict:
            raise Poison(Reason.NOT_AN_OBJECT, f"expected a JSON object, found {_json_type(payload)}")
        values = []
        for column, convert in self._steps:
            if convert is None:
                values.append(now if column.rule is Rule.PARSED_AT else batch_id)
                continue
            try:
                values.append(convert(payload[column.name]))
            except KeyError:
                values.append(self._absent(column))
            except _Unfit as unfit:
                raise Poison(unfit.reason, f"{column.name}: expected {unfit.expected}", column.name) from None
        self._check_event_time(values[self._time_index], now)
        return tuple(values)

    @staticmethod
    def _absent(column: Column) -> None:
        if column.required:
            raise Poison(Reason.MISSING_KEY, f"key {column.name} is missing", column.name)

    def _check_event_time(self, seconds: int, now: int) -> None:
        if not self.limits.min_event_time <= seconds <= now + self.limits.max_future:
            oldest = datetime.fromtimestamp(self.limits.min_event_time, UTC).date()
            expected = f"a time from {oldest} to {self.limits.max_future} s from now"
            raise Poison(Reason.OUT_OF_RANGE, f"{self.event.time_column}: expected {expected}", self.event.time_column)
