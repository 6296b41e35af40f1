"""Bodies to rows: what every value becomes, and that nothing but a row or a reason ever comes out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_sinker import user_agent
from event_sinker.events import EVENT_TYPES, Rule
from event_sinker.parse import Limits, Parser, Poison, Reason
from event_sinker.redact import redact
from tests.event_sinker.sample_events import sample_event

pytestmark = pytest.mark.unit

NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
AGENT = (
    "Mozilla/5.0 (Linux; U; Android 13; en-US; Pixel 7) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36"
)

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


@pytest.mark.parametrize("value", [True, [], {}, ["a"]])
def test_what_is_no_text_is_poison_in_text_columns(value: object) -> None:
    found = poison("profile_log", PROFILE | {"handle": value})
    assert (found.reason, found.column) == (Reason.WRONG_TYPE, "handle")


def test_uint64_column() -> None:
    assert parse("scrape_request_log", SCRAPE | {"scl_id": "18446744073709551615"})["scl_id"] == (1 << 64) - 1
    assert parse("scrape_request_log", SCRAPE | {"scl_id": 12})["scl_id"] == 12
    for value in (-1, "18446744073709551616", 1 << 64, 1 << 80):
        assert poison("scrape_request_log", SCRAPE | {"scl_id": value}).reason is Reason.OUT_OF_RANGE
    for value in ("", "1.0", "abc", None, 1.5, True):
        assert poison("scrape_request_log", SCRAPE | {"scl_id": value}).reason is Reason.WRONG_TYPE


def test_retry_count_may_be_absent() -> None:
    assert parse("scrape_request_log", SCRAPE)["retry_count"] == 1
    without = {key: value for key, value in SCRAPE.items() if key != "retry_count"}
    assert parse("scrape_request_log", without)["retry_count"] is None


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


def test_half_an_emoji_becomes_the_replacement_character() -> None:
    body = json.dumps(PROFILE).replace('"somebody"', r'"a\ud83d"').encode()
    assert parse("profile_log", body)["handle"] == "a�"
    assert parse("profile_log", PROFILE | {"handle": r"\ud83d"})["handle"] == r"\ud83d", (
        "a text that looks like an escape"
    )


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


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
)
def test_objects_come_back_equal(metrics: dict[str, object]) -> None:
    stored = parse("profile_log", PROFILE | {"metrics": metrics})["metrics"]
    clean = json.loads(json.dumps(metrics).encode().decode())
    assert json.loads(stored) == clean


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


TRACE = sample_event("trace_log", timestamp="2026-03-01T10:15:30.250000")


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


def test_credentials_of_a_trace_are_blanked() -> None:
    row = parse(
        "trace_log",
        TRACE
        | {
            "uri": "https://api.example/v1?access_token=geheim-1&fields=id",
            "headers": {
                "X-RapidAPI-Key": "geheim-2",
                "Authorization": ["Bearer geheim-3geheim", "a]b"],
                "Accept": "*/*",
            },
            "requestBody": '{"client_secret": "geheim-4"}',
            "remoteAddress": "https://user:geheim-5@api.example/?next=https%3A%2F%2Fh%2F%3Faccess_token%3Dgeheim-6%26a%3D1",
        },
    )
    assert "geheim" not in str(row)
    assert row["uri"] == "https://api.example/v1?access_token=[redacted]&fields=id"
    assert json.loads(row["headers"])["Accept"] == "*/*"


@pytest.mark.parametrize(
    "evil",
    [
        b"\\" * 1_000_000,
        b'"token":[' * 110_000,
        b'"' * 1_000_000,
        b"token" * 200_000,
        b"://" * 300_000,
        b"Basic " * 160_000,
    ],
    ids=lambda evil: evil[:5].decode(),
)
@pytest.mark.timeout(60)
def test_cleaning_takes_time_in_proportion_to_the_text(evil: bytes) -> None:
    """Under a quadratic pattern a megabyte takes minutes, the I/O loop gets no turn, and the connection is lost."""
    for body in (evil, json.dumps({"uri": evil.decode()}).encode()):
        assert redact(redact(body)) == redact(body)


@pytest.mark.parametrize(
    "body", [b'{"a": "x', b'{"token": ["a]b", "geheim"', b'{\\"api_key\\": \\"geheim', b"GET /?sig=geheim&b=1"]
)
def test_a_trace_that_does_not_parse_keeps_no_credential(body: bytes) -> None:
    assert b"geheim" not in redact(body)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["Authorization", "x-api-key", "a", "uri", "sessionId"]), json_values, max_size=4)
)
def test_a_cleaned_trace_stays_json_and_clean(payload: dict[str, object]) -> None:
    body = json.dumps(payload).encode()
    cleaned = redact(body)
    assert redact(cleaned) == cleaned
    try:
        json.loads(body, parse_constant=lambda _: 1 / 0)
    except (ZeroDivisionError, ValueError):
        return
    if b"\\ud" not in body:
        assert json.loads(cleaned).keys() == payload.keys()


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
