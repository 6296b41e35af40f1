"""Bodies to rows: what every value becomes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_sinker.events import EVENT_TYPES, Rule
from event_sinker.parse import Reason
from tests.event_sinker.parsing import (
    NOW,
    POST,
    PROFILE,
    SCRAPE,
    VALID,
    assert_types,
    epoch,
    parse,
    poison,
)

pytestmark = pytest.mark.unit


def test_profile_log_row() -> None:
    row = parse("profile_log", PROFILE)
    assert row == PROFILE | {
        "event_timestamp": epoch("2026-03-01 10:15:30"),
        "metrics": '{"followers":10}',
        "dimensions": '{"bio":"say \\"hi\\" \\\\ \\n 😀"}',
        "insert_timestamp": NOW,
        "ingest_batch_id": "batch",
    }


def test_nullable_columns_stay_null() -> None:
    row = parse("post_log", POST | {"handle": None, "publish_time": None, "profile_id": None})
    assert (row["handle"], row["publish_time"], row["profile_id"]) == (None, None, "")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2026-03-01 10:15:30", "2026-03-01 10:15:30"),
        ("2026-03-01T10:15:30", "2026-03-01 10:15:30"),
        ("2026-03-01T10:15:30.999999", "2026-03-01 10:15:30"),
        ("2026-03-01T10:15:30Z", "2026-03-01 10:15:30"),
        ("2026-03-01T10:15:30+05:30", "2026-03-01 04:45:30"),
    ],
)
def test_times_are_utc(sent: str, stored: str) -> None:
    """Rows of the update endpoint carry ISO 8601 with T; the old parser wrote 1970-01-01 for them."""
    row = parse("scrape_request_log", SCRAPE | {"event_timestamp": sent, "expires_at": sent})
    assert row["event_timestamp"] == row["expires_at"] == epoch(stored)


@pytest.mark.parametrize(
    "digits",
    [
        "9007199254740993",
        "9223372036854775807",
        "18446744073709551615",
        "-9223372036854775808",
        "-9999999999999999999",
        "18446744073709551616",
        "123456789012345678901234567890",
        "0.1234567890123456789012345",
        "12345678901234567.25",
        "1E400",
        "-0.5",
    ],
)
def test_numbers_keep_every_digit(digits: str) -> None:
    body = json.dumps(PROFILE | {"metrics": {"hash": 0}}).replace('"hash": 0', f'"hash": {digits}').encode()
    assert parse("profile_log", body)["metrics"] == f'{{"hash":{digits}}}'


@pytest.mark.parametrize("digits", ["17841400000000001", "18446744073709551615", "18446744073709551616123", "1.5"])
def test_numbers_sent_for_text_columns_survive(digits: str) -> None:
    body = json.dumps(PROFILE).replace('"17841400000000001"', digits).encode()
    assert parse("profile_log", body)["profile_id"] == digits


def test_uint64_column() -> None:
    assert parse("scrape_request_log", SCRAPE | {"scl_id": "18446744073709551615"})["scl_id"] == (1 << 64) - 1
    assert parse("scrape_request_log", SCRAPE | {"scl_id": 12})["scl_id"] == 12
    for value in (-1, "18446744073709551616", 1 << 64, 1 << 80):
        assert poison("scrape_request_log", SCRAPE | {"scl_id": value}).reason is Reason.OUT_OF_RANGE
    for value in ("", "1.0", "abc", None, 1.5, True):
        assert poison("scrape_request_log", SCRAPE | {"scl_id": value}).reason is Reason.WRONG_TYPE


@pytest.mark.parametrize("event_type", VALID)
def test_every_type_becomes_a_row(event_type: str) -> None:
    """Of the right types, with the payload's own values where the column is plain text."""
    body = VALID[event_type]
    row = parse(event_type, body, max_future=10**9)
    assert_types(event_type, row)
    for column in EVENT_TYPES[event_type].columns:
        sent = body.get(column.payload_keys[0])
        if column.rule in {Rule.ID, Rule.TEXT} and isinstance(sent, str):
            assert row[column.name] == sent


def test_half_an_emoji_becomes_the_replacement_character() -> None:
    body = json.dumps(PROFILE).replace('"somebody"', r'"a\ud83d"').encode()
    assert parse("profile_log", body)["handle"] == "a�"
    assert parse("profile_log", PROFILE | {"handle": r"\ud83d"})["handle"] == r"\ud83d", (
        "a text that looks like an escape"
    )


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
)
def test_objects_come_back_equal(metrics: dict[str, object]) -> None:
    stored = parse("profile_log", PROFILE | {"metrics": metrics})["metrics"]
    clean = json.loads(json.dumps(metrics).encode().decode())
    assert json.loads(stored) == clean
