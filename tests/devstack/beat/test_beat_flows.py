"""The facts of the flows, and the parts of the simulator that need no server."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from devstack.beat import engagement
from devstack.beat.assets import asset_hash, asset_key
from devstack.beat.catalogue import InventedCatalogue
from devstack.beat.events import Message
from devstack.beat.flows import FLOWS, Scrapes, fate
from devstack.beat.ledger import COMPLETE, FIRST_ID, PENDING, KeyReusedError, Ledger
from devstack.beat.scraping import POST_MISSING, PROFILE_MISSING, Findings, scrape
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser

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


PARAMS: dict[str, object] = {
    "handle": "priya", "profile_id": "123", "shortcode": "abc", "max_comments": 500,
    "store": "shop.example", "limit": 250,
    "post_id": "v", "post_type": "reels", "story_id": "1", "data": {"handle": "priya", "name": "P", "bio": 'a "b"'},
    "channel_id": "UCabcdefghijklmnopqrstuA", "channel_ids": ["UCa"], "post_ids": ["v"], "max_posts": 5, "hash": 3,
    "entity_type": "POST", "entity_id": "abc", "asset_type": "IMAGE",
    "original_url": "https://x/a.jpg", "platform": "INSTAGRAM",
    "story_ids": ["12345"],
}  # fmt: skip


def carried_out(flow: str, **changes: object) -> Findings:
    described = FLOWS[flow]
    names = (*described.required, *(name for name in described.optional if name == "story_ids"))
    return scrape(
        described.scrapes, {1: {name: PARAMS.get(name) for name in names} | changes}, InventedCatalogue(), flow
    )


@pytest.mark.parametrize("flow", [name for name, flow in FLOWS.items() if flow.scrapes is not Scrapes.NOTHING])
def test_the_sinker_stores_whatever_a_flow_publishes(flow: str) -> None:
    parsers = {event.routing_key: Parser(event) for event in EVENT_TYPES.values()}
    found = carried_out(flow)
    for message in found.messages.get(1, []):
        parsers[message.routing_key].row(
            message.body, int(time.time()), "test"
        )  # raises Poison for what it would refuse
    silent = FLOWS[flow].scrapes in (Scrapes.PICTURES, Scrapes.POST_TYPES)
    assert silent or found.messages.get(1) or found.failures


@pytest.mark.parametrize(
    ("flow", "keys", "table"),
    [
        ("fetch_profile_followers", {"profile_relationship_log_events"}, "profile_relationship_log"),
        ("fetch_post_likes", {"post_activity_log_events"}, "post_activity_log"),
        ("refresh_orders_by_store", {"order_log_events"}, "order"),
        ("refresh_profile_insights", {"profile_log_events"}, "instagram_profile_insights"),
        ("refresh_yt_profile_relationship", {"yt_profile_relationship_log_events"}, None),
        ("refresh_yt_activities", {"yt_activity_log_events"}, None),
        ("asset_upload_flow", set(), "asset_log"),
    ],
)
def test_some_flows_leave_events_and_rows(flow: str, keys: set[str], table: str | None) -> None:
    found = carried_out(flow)
    assert {message.routing_key for message in found.messages[1]} == keys
    assert list(found.stored) == ([table] if table else [])


def test_comments_come_with_their_mood() -> None:
    found = scrape(Scrapes.COMMENTS, {n: {"shortcode": f"c{n}", "max_comments": 9} for n in range(20)},
                   InventedCatalogue(), "fetch_post_comments")  # fmt: skip
    keys = [message.routing_key for messages in found.messages.values() for message in messages]
    assert keys.count("post_activity_log_events") == keys.count("sentiment_log_events") > 20


def test_followers_are_told_as_source_and_followings_as_target() -> None:
    ends = {"fetch_profile_followers": "source", "fetch_profile_following": "target"}
    for flow, side in ends.items():
        bodies = [orjson.loads(message.body) for message in carried_out(flow).messages[1]]
        other = "target" if side == "source" else "source"
        assert all(body[f"{side}_dimensions"]["handle"] and body[f"{other}_dimensions"] == {} for body in bodies)
        assert {body[f"{other}_profile_id"] for body in bodies} == {"123"}


def test_answers_carry_the_handle_as_profile_and_the_version_of_the_prompt() -> None:
    bodies = [
        orjson.loads(message.body) for message in carried_out("refresh_instagram_gpt_data_audience_cities").messages[1]
    ]
    assert {body["profile_id"] for body in bodies} == {"priya"}
    assert {body["source"] for body in bodies} == {f"openapi_profile_info_v0.1{n}" for n in (0, 1)}


def test_a_story_that_is_gone_is_told_without_a_source() -> None:
    (message,) = carried_out("refresh_story_posts_by_profile_id").messages[1]
    body = orjson.loads(message.body)
    assert (body["source"], body["shortcode"], body["dimensions"]["post_type"]) == ("", "12345", "story")


@pytest.mark.parametrize(
    ("flow", "changes"),
    [
        ("refresh_instagram_gpt_data_base_gender", {"data": "priya"}),
        ("refresh_instagram_gpt_data_base_gender", {"data": {}}),
        ("fetch_post_comments", {"max_comments": "many"}),
        ("fetch_post_comments", {"max_comments": None}),
        ("refresh_profile_insights", {"handle": ["a"]}),
        ("refresh_yt_post_type", {"post_id": {}}),
    ],
)
def test_values_that_no_flow_can_read_fail_or_find_nothing(flow: str, changes: dict[str, object]) -> None:
    found = carried_out(flow, **changes)
    assert set(found.failures) | {number for number, messages in found.messages.items() if messages is not None} == {1}


def test_a_picture_has_the_key_of_its_entity() -> None:
    assert asset_key("PROFILE", "INSTAGRAM", "12", "IMAGE", "https://x/a.webp?y") == "assets/profiles/instagram/12.webp"
    assert asset_key("POST", "INSTAGRAM", "ab", "VIDEO", "https://x/a") == "assets/posts/instagram/ab.mp4"
    assert asset_hash("") == 0xD41D8CD98F00B204


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
