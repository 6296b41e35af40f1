"""Why a message can never become a row."""

from __future__ import annotations

from enum import StrEnum


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
