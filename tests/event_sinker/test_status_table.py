"""The table of `status` in a terminal of the usual width."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from event_sinker.events import EVENT_TYPES
from event_sinker.main import _status_table
from event_sinker.status import EventStatus

pytestmark = pytest.mark.unit


def test_eighty_columns_hold_every_name_and_number_in_one_line() -> None:
    newest = datetime(2026, 3, 1, 10, 15, 30, tzinfo=UTC)
    events = [EventStatus(name, 1_234_567, 12, 1_234, 123_456_789, newest) for name in EVENT_TYPES]
    console = Console(file=io.StringIO(), width=80)
    console.print(_status_table(events))
    heading, *lines = console.file.getvalue().splitlines()
    assert heading.split() == ["event", "type", "waiting", "sinkers", "dead", "rows", "newest", "(UTC)"]
    assert [line.split() for line in lines] == [
        [name, "1,234,567", "12", "1,234", "123,456,789", "2026-03-01", "10:15"] for name in EVENT_TYPES
    ]
