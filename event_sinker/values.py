"""JSON values -> column values, one function per rule. A value that fits no rule raises `Unfit`.

Decimals have double precision, objects become compact JSON text with the sender's key order, times without a zone are
UTC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from event_sinker import user_agent
from event_sinker.event_type import Column, Rule
from event_sinker.poison import Reason

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")


class Unfit(Exception):
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
    raise Unfit(Reason.WRONG_TYPE, f"text or a number, not {json_type(value)}")


def _id(value: Any) -> str:
    text = _text(value)
    if not text or len(text) > 255:
        raise Unfit(Reason.OUT_OF_RANGE, "1 to 255 characters")
    return text


def _json(value: Any) -> str:
    if type(value) is dict:
        try:
            return orjson.dumps(value).decode()
        except orjson.JSONEncodeError as error:
            raise Unfit(Reason.OUT_OF_RANGE, f"an object that can be written as JSON ({error})") from None
    if value is None:
        return "{}"
    raise Unfit(Reason.WRONG_TYPE, f"an object, not {json_type(value)}")


@lru_cache(maxsize=1 << 14)
def _seconds(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise Unfit(Reason.BAD_TIME, "YYYY-MM-DD HH:MM:SS, or ISO 8601 with T")
    try:
        time = datetime.fromisoformat(text)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Unfit(Reason.BAD_TIME, "a time that exists") from None
    if not 0 <= seconds < 1 << 32:
        raise Unfit(Reason.BAD_TIME, "a time from 1970 to 2106")
    return int(seconds)


def _time(value: Any) -> int:
    """Epoch seconds; a fraction is cut off, as the columns hold whole seconds."""
    if type(value) is str:
        return _seconds(value)
    raise Unfit(Reason.WRONG_TYPE, f"a time as text, not {json_type(value)}")


def _event_time(value: Any) -> int:
    """The same, or a number of epoch seconds."""
    if type(value) is orjson.Fragment:  # another value of the message was long, so that all were read exactly
        value = float(orjson.dumps(value))
    if type(value) is int or type(value) is float:
        if not 0 <= value < 1 << 32:
            raise Unfit(Reason.BAD_TIME, "epoch seconds from 1970 to 2106")
        return int(value)
    return _time(value)


def _event_epoch(value: Any) -> int:
    if type(value) not in (int, float, orjson.Fragment):
        raise Unfit(Reason.WRONG_TYPE, f"epoch seconds, not {json_type(value)}")
    return _event_time(value)


def _whole(value: Any, low: int, high: int) -> int:
    if type(value) is str and _WHOLE.fullmatch(value):
        value = int(value)
    if type(value) is orjson.Fragment:
        raise Unfit(Reason.OUT_OF_RANGE, f"a whole number from {low} to {high}")
    if type(value) is not int:
        raise Unfit(Reason.WRONG_TYPE, f"a whole number, not {json_type(value)}")
    if not low <= value <= high:
        raise Unfit(Reason.OUT_OF_RANGE, f"a whole number from {low} to {high}")
    return value


def _float(value: Any) -> float:
    if type(value) is orjson.Fragment:
        value = orjson.dumps(value).decode()
    if type(value) is int or type(value) is float or (type(value) is str and _DECIMAL.fullmatch(value)):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
        raise Unfit(Reason.OUT_OF_RANGE, "a number of double precision")
    raise Unfit(Reason.WRONG_TYPE, f"a number, not {json_type(value)}")


def _flag(value: Any) -> int:
    if type(value) is bool or (type(value) is int and value in (0, 1)):
        return int(value)
    raise Unfit(Reason.WRONG_TYPE, f"true or false, not {json_type(value)}")


def json_type(value: Any) -> str:
    """What JSON calls a value, for messages."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "an array"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a number")


def _or(absent: Any, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: absent if value is None else convert(value)


def _int32(value: Any) -> int:
    return _whole(value, -(1 << 31), (1 << 31) - 1)


_CONVERTERS: dict[Rule, Callable[[Any], Any]] = {
    Rule.ID: _id,
    Rule.ID_OR_EMPTY: lambda value: "" if value is None or value == "" else _id(value),
    Rule.TEXT: _text,
    Rule.TEXT_OR_EMPTY: _or("", _text),
    Rule.TEXT_OR_NULL: _or(None, _text),
    Rule.JSON: _json,
    Rule.EVENT_TIME: _event_time,
    Rule.EVENT_EPOCH: _event_epoch,
    Rule.TIME: _time,
    Rule.TIME_OR_NULL: _or(None, _time),
    Rule.UINT64: lambda value: _whole(value, 0, (1 << 64) - 1),
    Rule.INT32: _int32,
    Rule.INT32_OR_NULL: _or(None, _int32),
    Rule.FLOAT: _float,
    Rule.FLAG: _flag,
}


def converter(column: Column) -> Callable[[Any], Any] | None:
    """The function that turns the JSON value of a column into what is stored; None for columns without a JSON key.

    It raises `Unfit`, and nothing else.
    """
    if not column.from_payload:
        return None
    if column.rule in {Rule.USER_AGENT_TEXT, Rule.USER_AGENT_FLAG}:
        part = column.part
        convert = lambda value: getattr(user_agent.read(_text(value)), part)  # noqa: E731
    else:
        convert = _CONVERTERS[column.rule]
    return convert if column.required else _or(column.default, convert)
