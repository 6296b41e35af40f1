"""What single event types have of their own: scrapes, scores, traces, launches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_sinker import user_agent
from event_sinker.parse import Reason
from tests.event_sinker.parsing import (
    NOW,
    SCRAPE,
    assert_types,
    epoch,
    parse,
    poison,
)
from tests.event_sinker.sample_events import sample_event

pytestmark = pytest.mark.unit

TRACE = sample_event("trace_log", timestamp="2026-03-01T10:15:30.250000")
AGENT = (
    "Mozilla/5.0 (Linux; U; Android 13; en-US; Pixel 7) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36"
)


def test_retry_count_may_be_absent() -> None:
    assert parse("scrape_request_log", SCRAPE)["retry_count"] == 1
    without = {key: value for key, value in SCRAPE.items() if key != "retry_count"}
    assert parse("scrape_request_log", without)["retry_count"] is None


def test_numeric_ids_of_followers_and_commenters_survive() -> None:
    """The old parser stored a JSON number in a text column as empty."""
    for event_type, key in (
        ("profile_relationship_log", "source_profile_id"),
        ("post_activity_log", "actor_profile_id"),
    ):
        body = sample_event(event_type, **{key: 17841400000000001}, event_timestamp="2026-03-01 10:15:30")
        assert parse(event_type, body | {"publish_time": None})[key] == "17841400000000001"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [(0.93, 0.93), (1, 1.0), ("0.5", 0.5), ("-1e-3", -0.001), (0.1234567890123456789, 0.12345678901234568)],
)
def test_a_score_is_a_number_or_its_text(sent: object, stored: float) -> None:
    """The table declares a float, the old schema text; text made the old parser panic."""
    body = sample_event("sentiment_log", score=sent, event_timestamp="2026-03-01 10:15:30")
    assert parse("sentiment_log", body)["score"] == stored


@pytest.mark.parametrize("sent", [None, "", "nan", "high", "1e999", True, [1]])
def test_what_is_no_score_is_poison(sent: object) -> None:
    body = sample_event("sentiment_log", score=sent, event_timestamp="2026-03-01 10:15:30")
    assert poison("sentiment_log", body).column == "score"


def test_likes_have_no_publish_time() -> None:
    """Not 1970."""
    body = sample_event("post_activity_log", publish_time=None, event_timestamp="2026-03-01 10:15:30")
    assert parse("post_activity_log", body)["publish_time"] is None


def test_trace_keeps_its_id_and_its_time() -> None:
    """The old parser made up both for every delivery."""
    row = parse("trace_log", TRACE)
    assert (row["id"], row["timestamp"]) == (TRACE["id"], epoch("2026-03-01 10:15:30"))
    assert (row["host_name"], row["time_taken"], row["response_status"], row["only_request"]) == ("beat-1", 2, 200, 0)


def test_trace_reads_the_host_name_under_either_key() -> None:
    old = {key: value for key, value in TRACE.items() if key != "hostname"}
    assert parse("trace_log", old | {"hostName": "h"})["host_name"] == "h"
    assert parse("trace_log", old)["host_name"] == ""
    assert poison("trace_log", old | {"hostName": []}).detail.startswith("hostName:")


def test_trace_needs_no_more_than_id_and_time() -> None:
    row = parse("trace_log", {"id": "t", "timestamp": "2026-03-01 10:15:30", "headers": None, "timeTaken": None})
    assert (row["headers"], row["time_taken"], row["uri"], row["only_request"]) == ("{}", 0, "", 0)
    assert poison("trace_log", TRACE | {"onlyRequest": 2}).reason is Reason.WRONG_TYPE


def launch(**changes: object) -> dict[str, object]:
    return sample_event("launch_refer", timestamp=NOW, userAgent=AGENT) | changes


def test_launch_event() -> None:
    row = parse("launch_refer", launch(eventId="e-1"))
    assert (row["id"], row["event_timestamp"], row["user_id"]) == ("e-1", NOW, "9007199254740993")
    assert (row["user_account_id"], row["deep_link"]) == (None, None)
    assert (row["mozilla"], row["platform"], row["os"], row["localization"]) == ("5.0", "Linux", "Android 13", "en-US")
    assert (row["os_full_name"], row["os_name"], row["os_version"], row["model"]) == (
        "Android 13",
        "Android",
        "13",
        "Pixel 7",
    )
    assert (row["browser_name"], row["browser_version"]) == ("Chrome Mobile", "116.0.0")
    assert (row["bot"], row["mobile"]) == (0, 1)


def test_a_launch_needs_no_more_than_its_time() -> None:
    row = parse("launch_refer", {"timestamp": NOW})
    assert (row["id"], row["user_agent"], row["os"], row["mobile"], row["user_id"]) == ("", "", "", 0, None)
    bot = parse(
        "launch_refer", launch(userAgent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    )
    assert (bot["bot"], bot["mobile"], bot["os_name"]) == (1, 0, "")


@pytest.mark.parametrize("sent", [-1, 1 << 32, 1e300, NOW * 1000])
def test_an_epoch_that_is_none_is_poison(sent: object) -> None:
    assert poison("launch_refer", launch(timestamp=sent)).column == "event_timestamp"


def test_a_trace_is_no_launch() -> None:
    """Both have a `timestamp` and a launch needs nothing else, but its own is a number."""
    assert poison("launch_refer", TRACE).reason is Reason.WRONG_TYPE
    assert poison("launch_refer", launch(timestamp=str(NOW))).reason is Reason.WRONG_TYPE
    assert poison("launch_refer", launch(timestamp=True)).reason is Reason.WRONG_TYPE


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_user_agent_is_read(text: str) -> None:
    assert_types("launch_refer", parse("launch_refer", launch(userAgent=text)))


@pytest.mark.parametrize("device", ["1", "1" * 23])
def test_a_long_number_elsewhere_changes_no_verdict(device: str) -> None:
    """It only makes the message be read by the slower, exact way."""
    assert parse("launch_refer", launch(timestamp=NOW - 0.5, deviceId=device))["event_timestamp"] == NOW - 1
    score = sample_event("sentiment_log", score=0.5, comment=device, event_timestamp="2026-03-01 10:15:30")
    assert parse("sentiment_log", score)["score"] == 0.5


def test_only_the_beginning_of_a_user_agent_is_remembered() -> None:
    user_agent._read.cache_clear()
    for number in range(3):
        user_agent.read("x" * 1_000_000 + str(number))
    assert user_agent._read.cache_info().currsize == 1
