"""Events of the synthetic world: shaped as Beat sends them, late and repeated ones included, covering every month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest

from devstack.beat import events
from devstack.beat.events import Message
from devstack.world import channels, instagram_events, posts, profiles, requests, special, streams, timeline
from devstack.world.size import SIZES, World
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser

pytestmark = pytest.mark.unit
WORLD = World(SIZES["small"], 7, datetime(2026, 6, 15, 12, 30, tzinfo=UTC))

KEYS = {
    events.PROFILE_LOG: "event_id source platform profile_id handle event_timestamp metrics dimensions",
    events.POST_LOG: "event_id source platform profile_id handle shortcode publish_time event_timestamp metrics"
    " dimensions",
    events.SCRAPE_REQUEST_LOG: "event_id scl_id flow platform params status priority reason event_timestamp picked_at"
    " expires_at retry_count",
}


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    chunk, tubes = profiles.chunk(WORLD, 0), channels.chunk(WORLD, 0)
    owned = posts.of(WORLD, chunk)
    parts = [
        *streams.instagram_parts(WORLD, chunk, owned),
        *streams.youtube_parts(WORLD, tubes, channels.video_table(WORLD, tubes)),
        streams.request_part(WORLD, requests.table(WORLD, chunk, owned, tubes)),
    ]
    made = [list(part.messages()) for part in parts]
    assert [len(some) for some in made] == [part.events for part in parts]
    return [message for some in made for message in some]


def bodies(messages: list[Message], routing_key: str) -> list[dict]:
    return [orjson.loads(message.body) for message in messages if message.routing_key == routing_key]


@pytest.mark.parametrize("routing_key", events.ROUTING_KEYS)
def test_payloads_have_exactly_the_keys_and_types_of_the_contract(messages: list[Message], routing_key: str) -> None:
    found = bodies(messages, routing_key)
    assert len(found) > 100
    for body in found:
        assert sorted(body) == sorted(KEYS[routing_key].split())
        if routing_key == events.SCRAPE_REQUEST_LOG:
            assert isinstance(body["scl_id"], str)
            assert isinstance(body["params"], dict)
            datetime.strptime(body["expires_at"], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
        else:
            assert isinstance(body["metrics"], dict)
            assert isinstance(body["dimensions"], dict)
            assert body["handle"] == body["profile_id"] or body["platform"] == "INSTAGRAM"
        datetime.strptime(body["event_timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["profile_log", "post_log", "scrape_request_log"])
def test_the_sinker_stores_every_one_of_them(messages: list[Message], name: str) -> None:
    parser = Parser(EVENT_TYPES[name])
    for message in messages:
        if message.routing_key == EVENT_TYPES[name].routing_key:
            parser.row(message.body, int(WORLD.as_of.timestamp()), "batch")  # raises Poison for what it would refuse


def test_the_same_world_sends_the_same_events(messages: list[Message]) -> None:
    chunk = profiles.chunk(WORLD, 0)
    again = list(instagram_events.profile_messages(WORLD, chunk, instagram_events.profile_timeline(WORLD, chunk)))
    assert messages[: len(again)] == again
    later = World(WORLD.size, WORLD.seed, WORLD.as_of + timedelta(hours=1))
    other = list(instagram_events.profile_messages(later, chunk, instagram_events.profile_timeline(later, chunk)))
    ids = {orjson.loads(message.body)["event_id"] for message in again}
    assert ids.isdisjoint(orjson.loads(message.body)["event_id"] for message in other)


def test_one_in_two_hundred_is_repeated_word_for_word(messages: list[Message]) -> None:
    by_id: dict[str, set[bytes]] = {}
    for message in messages:
        by_id.setdefault(orjson.loads(message.body)["event_id"], set()).add(message.body)
    assert all(len(texts) == 1 for texts in by_id.values())
    assert 0.002 < 1 - len(by_id) / len(messages) < 0.008


def test_some_are_published_late(messages: list[Message]) -> None:
    # One stream alone: insights and answers are published beside the scrapes, each in its own order.
    scrapes = (body for body in bodies(messages, events.PROFILE_LOG) if body["metrics"])
    instagram = [body for body in scrapes if body["platform"] == "INSTAGRAM"]
    newest, late = "", 0
    for body in instagram:
        late += body["event_timestamp"] < newest
        newest = max(newest, body["event_timestamp"])
    assert 0.01 < late / len(instagram) < 0.05


def test_every_month_has_snapshots_and_nothing_is_younger_than_the_world(messages: list[Message]) -> None:
    for platform, at_least in (("INSTAGRAM", 200), ("YOUTUBE", 50)):
        found = [body for body in bodies(messages, events.PROFILE_LOG) if body["platform"] == platform]
        months = {f"{np.datetime64('2026-06') - back}" for back in range(14)}
        for month in months:
            accounts = {body["profile_id"] for body in found if body["event_timestamp"].startswith(month)}
            assert len(accounts) > at_least, (platform, month)
        assert max(body["event_timestamp"] for body in found) < "2026-06-15 12:30:00"


def test_a_renamed_profile_had_its_former_handle(messages: list[Message]) -> None:
    chunk = profiles.chunk(WORLD, 0)
    account = special.RENAMED.start
    identity, handle = chunk.profile_id[account].as_py(), chunk.handle[account].as_py()
    border = f"{WORLD.as_of - timedelta(days=special.RENAMED_DAYS_AGO):%Y-%m-%d %H:%M:%S}"
    own = [body for body in bodies(messages, events.PROFILE_LOG) if body["profile_id"] == identity]
    assert {body["handle"] for body in own if body["event_timestamp"] < border} == {f"{handle}_old"}
    assert {body["handle"] for body in own if body["event_timestamp"] > border} == {handle}


def test_tied_profiles_are_scraped_with_equal_counts_at_equal_moments() -> None:
    chunk = profiles.chunk(WORLD, 0)
    days = np.array([0.5, 40.0, 300.0])
    values = [chunk.growth.at(np.full(3, account), days).tolist() for account in special.TIED]
    assert all(value == values[0] for value in values)


def test_month_starts_are_calendar_months() -> None:
    starts = timeline.month_starts(WORLD).astype("datetime64[s]")
    assert [str(starts[0])[:10], str(starts[-1])[:10], len(starts)] == ["2025-05-01", "2026-06-01", 14]
