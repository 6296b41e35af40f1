"""Bodies to rows at a fixed time, for the tests of the parser."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st

from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Limits, Parser, Poison
from tests.event_sinker.sample_events import sample_event

NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())

PROFILE = {
    "event_id": "6f9619ff-8b86-4d01-b42d-00c04fc964ff",
    "source": "graphapi",
    "platform": "INSTAGRAM",
    "profile_id": "17841400000000001",
    "handle": "somebody",
    "event_timestamp": "2026-03-01 10:15:30",
    "metrics": {"followers": 10},
    "dimensions": {"bio": 'say "hi" \\ \n 😀'},
}
POST = PROFILE | {"shortcode": "Cx1", "publish_time": "2026-02-28 08:00:00"}
SCRAPE = {
    "event_id": "6f9619ff-8b86-4d01-b42d-00c04fc964ff",
    "scl_id": "77",
    "platform": "INSTAGRAM",
    "flow": "refresh_profile",
    "params": {"handle": "somebody"},
    "status": "PENDING",
    "priority": 1,
    "reason": None,
    "picked_at": "2026-03-01 10:15:30",
    "expires_at": "2026-03-01T11:15:30.123456",
    "event_timestamp": "2026-03-01 10:15:30",
    "retry_count": 1,
}
VALID = {name: sample_event(name) for name in EVENT_TYPES} | {
    "profile_log": PROFILE,
    "post_log": POST,
    "scrape_request_log": SCRAPE,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)

RANGES = {
    "DateTime": (0, (1 << 32) - 1),
    "UInt64": (0, (1 << 64) - 1),
    "Int32": (-(1 << 31), (1 << 31) - 1),
    "UInt8": (0, 255),
    "Float64": (-1.8e308, 1.8e308),
}


def parse(event_type: str, body: bytes | dict, **limits: int) -> dict[str, object]:
    event = EVENT_TYPES[event_type]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dict(zip(event.column_names, Parser(event, Limits(**limits)).row(data, NOW, "batch"), strict=True))


def assert_types(event_type: str, row: dict[str, object]) -> None:
    """Every value is one that the column's ClickHouse type can hold."""
    for column in EVENT_TYPES[event_type].columns:
        value = row[column.name]
        if value is None:
            assert column.type.startswith("Nullable")
        elif "String" in column.type:
            assert isinstance(value, str)
            value.encode()
        else:
            assert type(value) is (float if column.type == "Float64" else int)
            low, high = RANGES[column.type.removeprefix("Nullable(").removesuffix(")")]
            assert low <= value <= high


def poison(event_type: str, body: bytes | dict, **limits: int) -> Poison:
    with pytest.raises(Poison) as raised:
        parse(event_type, body, **limits)
    return raised.value


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
