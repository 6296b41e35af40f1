"""The facts of the flows, and the parts of the simulator that need no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.beat import engagement
from devstack.beat.catalogue import InventedCatalogue
from devstack.beat.events import Message
from devstack.beat.flows import FLOWS, Scrapes, fate
from devstack.beat.ledger import COMPLETE, FIRST_ID, PENDING, KeyReusedError, Ledger
from devstack.beat.scraping import POST_MISSING, PROFILE_MISSING, scrape

pytestmark = pytest.mark.unit


@pytest.fixture
def ledger(tmp_path: Path):
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def add(ledger: Ledger, flow: str = "refresh_profile_by_handle", key: str | None = None, **params: object):
    with ledger.transaction():
        return ledger.add(flow, "INSTAGRAM", params, key, None)


def test_there_are_47_flows() -> None:
    assert len(FLOWS) == 47


def test_parameters_that_do_not_fit_are_told_as_python_does() -> None:
    flow = FLOWS["refresh_yt_posts_by_search"]
    assert flow.misfit("f", {"category": "Music"}) == "f() got an unexpected keyword argument 'category'"
    assert flow.misfit("f", {"job_id": 1, "keywords": [], "start_date": "x"}) == (
        "f() missing 1 required positional argument: 'end_date'"
    )
    assert FLOWS["fetch_post_likes"].misfit("f", {"shortcode": "a", "cursor": None}) is None


def test_fates_follow_the_believable_mix_and_never_change() -> None:
    fates = [fate(1, scrape_id, 1)[0] for scrape_id in range(20_000)]
    assert fates == [fate(1, scrape_id, 1)[0] for scrape_id in range(20_000)]
    assert fates.count(None) / 20_000 == pytest.approx(0.88, abs=0.01)
    assert fates.count("(429, 'Too many requests')") / 20_000 == pytest.approx(0.03, abs=0.006)


def test_a_request_and_its_event_are_one_change(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.transaction():
        ledger.add("f", "INSTAGRAM", {}, None, None)
        ledger.emit([Message("k", b"{}")])
        raise ZeroDivisionError
    assert (ledger.requests(None, None, None, 0, 10)[0], ledger.outbox_depth()) == (0, 0)


def test_the_same_key_is_the_same_request(ledger: Ledger) -> None:
    first, new = add(ledger, key="k", handle="a")
    again, repeated = add(ledger, key="k", handle="a")
    assert (first["id"], new, again["id"], repeated) == (FIRST_ID, True, FIRST_ID, False)
    with pytest.raises(KeyReusedError):
        add(ledger, key="k", handle="b")


def test_requests_and_outbox_survive_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    row, _ = add(ledger, handle="a")
    with ledger.transaction():
        ledger.emit([Message("k", b"1"), Message("k", b"2")])
    ledger.close()
    ledger = Ledger(tmp_path)
    assert ledger.request(row["id"])["status"] == PENDING
    positions, messages = zip(*ledger.outbox(10), strict=True)
    assert [message.body for message in messages] == [b"1", b"2"]
    ledger.published(positions[0])
    assert ledger.outbox_depth() == 1
    assert add(ledger, handle="b")[0]["id"] == FIRST_ID + 1
    ledger.close()


def test_a_change_during_mirroring_is_mirrored_again(ledger: Ledger) -> None:
    row, _ = add(ledger, handle="a")
    seen = ledger.to_mirror(10)
    with ledger.transaction():
        ledger.change(row["id"], COMPLETE)
    ledger.mirrored(seen)
    assert [(entry["status"], entry["mirrored"]) for entry in ledger.to_mirror(10)] == [(COMPLETE, 1)]


def test_one_busy_flow_does_not_hide_another(ledger: Ledger) -> None:
    for number in range(5):
        add(ledger, "fetch_hashtag_posts", hashtag=str(number))
    add(ledger, handle="a")
    add(ledger, "no_such_flow")
    waiting = [row["flow"] for row in ledger.waiting(list(FLOWS), 2)]
    assert waiting == ["fetch_hashtag_posts", "fetch_hashtag_posts", "refresh_profile_by_handle"]


def test_scrapes_publish_what_their_flow_would() -> None:
    catalogue = InventedCatalogue()
    found = scrape(Scrapes.PROFILES, {1: {"handle": "priya"}, 2: {"handle": "unknown.one"}}, catalogue)
    keys = [message.routing_key for message in found.messages[1]]
    assert keys.count("profile_log_events") == 2  # once before and once after the embedded posts
    assert keys.count("post_log_events") == 12
    assert found.failures == {2: PROFILE_MISSING}
    found = scrape(Scrapes.POSTS, {3: {"shortcode": "abc"}, 4: {"shortcode": "unknown"}}, catalogue)
    assert ([m.routing_key for m in found.messages[3]], found.failures) == (["post_log_events"], {4: POST_MISSING})
    found = scrape(Scrapes.CHANNELS, {5: {"channel_ids": ["UCa", "UCb", "wrong"]}}, catalogue)
    assert len(found.messages[5]) == 2


def test_averages_drop_two_best_and_two_worst() -> None:
    posts = [
        {"post_type": "image", "likes": likes, "comments": 0, "plays": None, "publish_time": likes}
        for likes in (1, 2, 10, 20, 30, 900, 1_000)
    ]
    metrics = engagement.post_metrics(posts, followers=1_000)
    assert metrics["static"]["avg_likes"] == 20
    assert metrics["static"]["avg_engagement"] == pytest.approx(2.0)
    assert metrics["reels"] == {}
    assert engagement.post_metrics(posts[:4], 1_000)["static"]["avg_likes"] == pytest.approx(
        8.25
    )  # too few to drop any
    assert engagement.post_metrics(posts, followers=0)["story"]["avg_reach"] == 0.0
