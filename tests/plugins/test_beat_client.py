"""The Beat client against a real HTTP server that throttles, fails, stalls, hangs up and lies with HTTP 200."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from misbehaving_beat import Answer, MisbehavingBeat
from stir.beat_client import BeatClient, RefusedError, RetryableReplyError, ScrapeRequest, retry_after

pytestmark = pytest.mark.unit

ERROR_ENVELOPE = {"status": {"type": "ERROR", "message": "Something went wrong - queue", "code": 400}}


def request(entity: str = "CxYz123AbCd") -> ScrapeRequest:
    return ScrapeRequest("refresh_post_by_shortcode", "INSTAGRAM", {"shortcode": entity}, entity, f"key-{entity}")


def client(beat: MisbehavingBeat, **options: object) -> BeatClient:
    return BeatClient(beat.url, **{"timeout": 0.4, "per_second": 500, "first_wait": 0.01, **options})


def never(_: object) -> bool:
    return False


def test_an_accepted_request_has_exactly_the_body_and_path_that_beat_documents(beat_server: MisbehavingBeat) -> None:
    with client(beat_server) as beat:
        assert beat.create(request()) == 7
    (received,) = beat_server.requests
    assert received.path == "/scrape_request_log/flow/refresh_post_by_shortcode"
    assert received.body == {
        "flow": "refresh_post_by_shortcode",
        "platform": "INSTAGRAM",
        "params": {"shortcode": "CxYz123AbCd"},
    }
    assert received.headers["Idempotency-Key"] == "key-CxYz123AbCd"


def test_throttling_waits_as_long_as_the_server_asks(beat_server: MisbehavingBeat) -> None:
    beat_server.script = [Answer(status=429, headers={"Retry-After": "1"}), Answer()]
    with client(beat_server) as beat:
        assert beat.create(request()) == 7
    first, second = beat_server.requests
    assert second.at - first.at >= 1.0


def test_throttling_of_one_request_holds_back_the_others(beat_server: MisbehavingBeat) -> None:
    beat_server.script = [Answer(status=429, headers={"Retry-After": "1"})]
    with client(beat_server, parallel=2, per_second=5) as beat:
        outcome = beat.create_all([request(str(n)) for n in range(4)], may_stop=never)
    assert outcome.sent == 4
    first = beat_server.requests[0].at
    assert sum(1 for received in beat_server.requests if received.at < first + 0.9) <= 2


@pytest.mark.parametrize(
    "trouble",
    [Answer(status=500), Answer(status=503), Answer(cut=True), Answer(delay=1.0)],
    ids=["500", "503", "cut", "slow"],
)
def test_passing_trouble_is_retried_with_the_same_key(beat_server: MisbehavingBeat, trouble: Answer) -> None:
    beat_server.script = [trouble, Answer()]
    with client(beat_server) as beat:
        assert beat.create(request()) == 7
    assert len(beat_server.requests) == 2
    assert len({received.headers["Idempotency-Key"] for received in beat_server.requests}) == 1


def test_lasting_trouble_ends_after_the_tries_in_bounded_time(beat_server: MisbehavingBeat) -> None:
    beat_server.script = lambda _: Answer(delay=1.0)
    began = time.monotonic()
    with (
        client(beat_server, tries=3) as beat,
        pytest.raises(RetryableReplyError, match="no reply from Beat: ReadTimeout"),
    ):
        beat.create(request())
    assert len(beat_server.requests) == 3
    assert time.monotonic() - began < 3


def test_nobody_listening_is_one_clear_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            BeatClient(address, tries=2, first_wait=0.01) as beat,
            pytest.raises(RetryableReplyError, match="no reply from Beat: ConnectError"),
        ):
            beat.create(request())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(body=ERROR_ENVELOPE), "ERROR 400: Something went wrong - queue"),
        (Answer(status=422, body={"detail": "field required"}), "HTTP 422: .*field required"),
        (Answer(body=b"<html>gateway</html>"), "without Beat's envelope: <html>gateway"),
        (Answer(body=["not", "an", "envelope"]), "without Beat's envelope"),
    ],
    ids=["error envelope", "422", "html", "list"],
)
def test_a_refusal_is_final_even_with_http_200(beat_server: MisbehavingBeat, answer: Answer, message: str) -> None:
    beat_server.script = [answer]
    with client(beat_server) as beat, pytest.raises(RefusedError, match=message):
        beat.create(request())
    assert len(beat_server.requests) == 1


def test_many_requests_are_counted_by_what_became_of_them(beat_server: MisbehavingBeat) -> None:
    def script(received: object) -> Answer:
        shortcode = received.body["params"]["shortcode"]  # type: ignore[attr-defined]
        return {"bad": Answer(body=ERROR_ENVELOPE), "broken": Answer(status=500)}.get(shortcode, Answer())

    beat_server.script = script
    with client(beat_server, tries=2) as beat:
        outcome = beat.create_all([request(name) for name in ("a", "bad", "b", "broken", "c")], may_stop=never)
    assert (outcome.sent, outcome.refused, outcome.failed, outcome.not_tried) == (3, 1, 1, 0)
    assert outcome.error_share == pytest.approx(0.4)
    assert any(error.startswith("bad: ERROR 400") for error in outcome.errors)


def test_no_more_than_the_allowed_number_is_in_flight(beat_server: MisbehavingBeat) -> None:
    beat_server.script = lambda _: Answer(delay=0.05)
    with client(beat_server, parallel=3) as beat:
        outcome = beat.create_all([request(str(n)) for n in range(15)], may_stop=never)
    assert outcome.sent == 15
    assert beat_server.most_in_flight == 3


def test_starts_are_spaced_by_the_rate(beat_server: MisbehavingBeat) -> None:
    with client(beat_server, parallel=8, per_second=20) as beat:
        beat.create_all([request(str(n)) for n in range(11)], may_stop=never)
    assert beat_server.requests[-1].at - beat_server.requests[0].at >= 0.45


def test_a_hopeless_run_stops_and_says_how_many_were_not_tried(beat_server: MisbehavingBeat) -> None:
    beat_server.script = lambda _: Answer(body=ERROR_ENVELOPE)
    with client(beat_server, parallel=2) as beat:
        outcome = beat.create_all([request(str(n)) for n in range(100)], may_stop=lambda so_far: so_far.refused >= 10)
    assert outcome.refused in (10, 11)
    assert outcome.not_tried == 100 - outcome.refused
    assert len(beat_server.requests) == outcome.refused


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("3", 3, 3),
        ("9999", 60, 60),
        ("-5", 0, 0),
        ("soon", None, None),
        ("", None, None),
    ],
)
def test_retry_after_is_read_as_seconds_and_bounded(value: str, low: float | None, high: float | None) -> None:
    seconds = retry_after(httpx.Response(429, headers={"Retry-After": value}))
    if low is None:
        assert seconds is None
    else:
        assert low <= seconds <= high


def test_retry_after_may_be_a_date() -> None:
    in_half_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 <= retry_after(httpx.Response(429, headers={"Retry-After": in_half_a_minute})) <= 31


def test_a_connection_without_a_scheme_is_explained() -> None:
    with pytest.raises(ValueError, match="needs a whole address"):
        BeatClient("beat.internal:8000")
