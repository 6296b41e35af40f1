"""One message body -> one row, or the reason why not. Pure: no clock, no network, no exception but `Poison`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from event_sinker.event_type import Column, EventType, Rule
from event_sinker.json_body import load
from event_sinker.poison import Poison, Reason
from event_sinker.redact import redact_value
from event_sinker.values import Unfit, converter, json_type

__all__ = ["Limits", "Parser", "Poison", "Reason", "Row"]

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Limits:
    """Bounds of a believable message: bytes of the body, earliest event time (epoch), seconds ahead of the clock."""

    max_bytes: int = 1 << 20
    min_event_time: int = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp())
    max_future: int = 86_400


class Parser:
    """Turns bodies of one event type into rows."""

    def __init__(self, event: EventType, limits: Limits | None = None) -> None:
        self.event = event
        self.limits = limits or Limits()
        self._time_index = event.column_names.index(event.time_column)
        self._steps = [(column.payload_keys[0], converter(column), column) for column in event.columns]

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
            raise Poison(Reason.NOT_AN_OBJECT, f"expected a JSON object, found {json_type(payload)}")
        if self.event.redacted:
            payload = self._redacted(payload)
        values = []
        for key, convert, column in self._steps:
            if convert is None:
                values.append(now if column.rule is Rule.PARSED_AT else batch_id)
                continue
            try:
                values.append(convert(payload[key]))
            except KeyError:
                values.append(self._elsewhere(column, convert, payload))
            except Unfit as unfit:
                raise Poison(unfit.reason, f"{key}: expected {unfit.expected}", column.name) from None
        self._check_event_time(values[self._time_index], now)
        return tuple(values)

    @staticmethod
    def _redacted(payload: dict[str, Any]) -> dict[str, Any]:
        try:
            return redact_value(payload)
        except RecursionError:
            raise Poison(Reason.OUT_OF_RANGE, "the body is nested too deeply") from None

    @staticmethod
    def _elsewhere(column: Column, convert: Callable[[Any], Any], payload: dict[str, Any]) -> Any:
        """The value of a column whose first key is absent: from its other keys, or its default."""
        for key in column.payload_keys[1:]:
            if key in payload:
                try:
                    return convert(payload[key])
                except Unfit as unfit:
                    raise Poison(unfit.reason, f"{key}: expected {unfit.expected}", column.name) from None
        if column.required:
            raise Poison(Reason.MISSING_KEY, f"key {column.payload_keys[0]} is missing", column.name)
        return column.default

    def _check_event_time(self, seconds: int, now: int) -> None:
        if not self.limits.min_event_time <= seconds <= now + self.limits.max_future:
            oldest = datetime.fromtimestamp(self.limits.min_event_time, UTC).date()
            expected = f"a time from {oldest} to {self.limits.max_future} s from now"
            raise Poison(Reason.OUT_OF_RANGE, f"{self.event.time_column}: expected {expected}", self.event.time_column)
