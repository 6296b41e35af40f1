"""What is no event: each body is poison with its reason, and nothing but a row or a reason ever comes out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Poison, Reason
from tests.event_sinker.parsing import (
    POST,
    PROFILE,
    VALID,
    assert_types,
    json_values,
    parse,
    poison,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "garbage",
        "2026-13-01 00:00:00",
        "2026-02-30 00:00:00",
        "2026-03-01",
        "20260301T101530",
        "2026-W09-7",
        "01/03/2026",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "2026-03-01 10:15:30 ",
        "٢٠٢٦-03-01 10:15:30",
        "2026-03-01 24:00:00",
    ],
)
def test_a_bad_time_is_poison(sent: str) -> None:
    assert poison("profile_log", PROFILE | {"event_timestamp": sent}).reason is Reason.BAD_TIME
    assert poison("post_log", POST | {"publish_time": sent}).column == "publish_time"


@pytest.mark.parametrize(("sent", "fits"), [("2009-12-31 23:59:59", False), ("2010-01-01 00:00:00", True)])
def test_event_time_far_in_the_past(sent: str, fits: bool) -> None:
    body = PROFILE | {"event_timestamp": sent}
    if fits:
        parse("profile_log", body)
    else:
        assert poison("profile_log", body).reason is Reason.OUT_OF_RANGE


def test_event_time_far_in_the_future_would_win_every_latest_value() -> None:
    parse("profile_log", PROFILE | {"event_timestamp": "2026-03-02 12:00:00"})
    assert poison("profile_log", PROFILE | {"event_timestamp": "2026-03-02 12:00:01"}).reason is Reason.OUT_OF_RANGE


@pytest.mark.parametrize("value", [True, [], {}, ["a"]])
def test_what_is_no_text_is_poison_in_text_columns(value: object) -> None:
    found = poison("profile_log", PROFILE | {"handle": value})
    assert (found.reason, found.column) == (Reason.WRONG_TYPE, "handle")


@pytest.mark.parametrize("event_type", VALID)
def test_every_required_key_is_missed(event_type: str) -> None:
    for column in EVENT_TYPES[event_type].columns:
        if column.from_payload and column.required:
            body = {key: value for key, value in VALID[event_type].items() if key not in column.payload_keys}
            found = poison(event_type, body)
            assert (found.reason, found.column) == (Reason.MISSING_KEY, column.name)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.EMPTY),
        (b" ", Reason.BROKEN_JSON),
        (b"{", Reason.BROKEN_JSON),
        (b'{"a": NaN}', Reason.BROKEN_JSON),
        (b"[" * 100_000, Reason.BROKEN_JSON),
        (b'\xef\xbb\xbf{"a":1}', Reason.BROKEN_JSON),
        (b'{"a":"\xff"}', Reason.INVALID_UTF8),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b"1" * 5000, Reason.NOT_AN_OBJECT),
        (b"x" * 2_000_000, Reason.OVERSIZE),
    ],
)
def test_bodies_that_are_no_event(body: bytes, reason: Reason) -> None:
    assert poison("profile_log", body).reason is reason


def test_an_empty_event_id_is_poison() -> None:
    for value in ("", None, "x" * 256):
        assert poison("profile_log", PROFILE | {"event_id": value}).column == "event_id"


def test_objects_nested_too_deeply_are_poison() -> None:
    body = json.dumps(PROFILE).replace('{"followers": 10}', '{"a":' * 300 + "1" + "}" * 300).encode()
    assert poison("profile_log", body).column == "metrics"


def test_reasons_never_show_the_value() -> None:
    found = poison("profile_log", PROFILE | {"event_timestamp": "secret"})
    assert "secret" not in found.detail and "event_timestamp" in found.detail


@settings(max_examples=400, deadline=None)
@given(event_type=st.sampled_from(sorted(VALID)), changes=st.data())
def test_any_payload_is_a_row_or_a_reason(event_type: str, changes: st.DataObject) -> None:
    """Replace or drop any keys of a valid event by anything JSON can say: a full row of the right types, or poison."""
    body = dict(VALID[event_type])
    for key in changes.draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
        if changes.draw(st.booleans()):
            body[key] = changes.draw(json_values)
        else:
            body.pop(key, None)
    try:
        row = parse(event_type, json.dumps(body).encode(), max_future=10**9)
    except Poison as found:
        assert found.detail and isinstance(found.reason, Reason)
        return
    assert_types(event_type, row)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_reason(body: bytes) -> None:
    poison("profile_log", body)
