"""Whom the Instagram DAGs ask Beat about: each query on real ClickHouse, one row for each reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import yaml
from candidate_tables import PROJECT, CandidateTables
from clickhouse_driver import Client
from stir import warehouse
from stir.scrape_request import ScrapeSource

from devstack.beat.flows import FLOWS
from devstack.services import ClickHouseService

pytestmark = pytest.mark.integration

MODULES = {"instagram.py", "instagram_gpt.py"}
NOW = datetime.now(UTC).replace(microsecond=0)
MOMENT = timedelta(minutes=5)
Params = dict[str, Any]

REQUESTS, REQUEST_LOG = "_e.scrape_request_log_events", "dbt.stg_beat_scrape_request_log"
ITEMS, POSTS, CREDENTIALS = (
    "dbt.stg_coffee_post_collection_item",
    "dbt.stg_beat_instagram_post",
    "dbt.stg_beat_credential",
)
SUMMARY, PARTIAL_SUMMARY = "dbt.mart_instagram_account_summary", "dbt.mart_instagram_account_summary_partial"
CORE, ACCOUNTS = "dbt.mart_profile_core_metrics", "dbt.mart_instagram_account"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


class World(CandidateTables):
    """The tables, and what stands in them of earlier requests."""

    def __init__(self, client: Client, sources: Mapping[str, ScrapeSource]) -> None:
        super().__init__(client)
        self.sources = sources
        self.number = 0

    def asked(self, source: ScrapeSource, params: Params, when: datetime, *states: str, flow: str = "") -> None:
        """One request and the events of its states."""
        self.number += 1
        common = {"platform": source.platform, "flow": flow or source.flow, "params": json.dumps(params)}
        for state in states or ("PENDING",):
            self.insert(REQUESTS, {"scl_id": self.number, "status": state, "event_timestamp": when, **common})

    def failed(self, source: ScrapeSource, params: Params, when: datetime, text: str) -> None:
        """One failed request in Beat's own log."""
        self.number += 1
        row = {"id": self.number, "flow": source.flow, "params": json.dumps(params), "status": "FAILED"}
        self.insert(REQUEST_LOG, {**row, "data": text, "created_at": when})

    def requests(self, name: str, limit: int | None = None) -> list[Params]:
        """Params of the requests that a run would send."""
        source = self.sources[name]
        rows = warehouse.rows(source.query(limit or source.limit), what=name)
        return [params for _, params in source.payloads(rows)]

    def chosen(self, name: str, limit: int | None = None) -> list[Any]:
        """Entities that a run would ask about, in order."""
        source = self.sources[name]
        rows = warehouse.rows(source.query(limit or source.limit), what=name)
        return [row[source.entity_column] for row in rows]


@pytest.fixture(scope="module")
def sources(dag_bag: Any) -> dict[str, ScrapeSource]:
    """Sources by DAG id; a second task of a DAG has its id appended."""
    found = {}
    for dag_id, dag in dag_bag.dags.items():
        if Path(dag.fileloc).name in MODULES:
            for task in dag.tasks:
                name = dag_id if task.task_id == "send_requests" else f"{dag_id}.{task.task_id}"
                found[name] = task.op_kwargs["source"]
    return found


@pytest.fixture(scope="module")
def tables(clickhouse_service: ClickHouseService, sources: dict[str, ScrapeSource]) -> Iterator[World]:
    at = clickhouse_service.endpoint
    client = Client(at.host, port=at.native_port, user=at.user, password=at.password)
    connection = {
        "conn_type": "generic",
        "host": at.host,
        "port": at.native_port,
        "login": at.user,
        "password": at.password,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_GCC", json.dumps(connection))
        world = World(client, sources)
        world.create_for(source.query(1) for source in sources.values())
        yield world
        world.drop()
    client.disconnect()


@pytest.fixture
def world(tables: World) -> Iterator[World]:
    yield tables
    tables.empty()


# ---- what is sent, and who is left out because of earlier requests: every source


def tracked_profile(world: World) -> Params:
    world.insert("dbt.mart_instagram_tracked_profiles", {"handle": "ann", "source": "app", "priority": 1})
    return {"handle": "ann"}


def collection_post(world: World) -> Params:
    row = {"id": 1, "platform": "INSTAGRAM", "post_type": "reels", "short_code": "CxAb_-12345"}
    world.insert(ITEMS, {**row, "created_at": ago(days=1)})
    return {"shortcode": "CxAb_-12345"}


def g3_post(world: World) -> Params:
    world.insert("dbt.refreshed_collections", {"collection_id": "20"})
    row = {"collection_id": "20", "platform": "INSTAGRAM", "post_short_code": "CxAb_-12345"}
    world.insert("dbt.mart_collection_post", row)
    return {"shortcode": "CxAb_-12345"}


def story(code: str, handle: str | None, when: datetime, **changed: Any) -> Params:
    row = {"platform": "INSTAGRAM", "post_type": "story", "short_code": code, "posted_by_handle": handle}
    return {"id": 1, **row, "created_at": when, "updated_at": when, **changed}


def owner(profile_id: str, handle: str, *, followers: int | None = 1000, seen: datetime | None = NOW) -> Params:
    return {
        "platform": "INSTAGRAM",
        "profile_id": profile_id,
        "handle": handle,
        "followers": followers,
        "newest_event_at": seen,
    }


def rates(profile_id: str, **known: float | None) -> Params:
    names = ("avg_er", "avg_static_er", "reels_er")
    trimmed = ("avg_er_non_outliers", "static_er_non_outliers", "reels_er_non_outliers")
    return {"profile_id": profile_id, **dict.fromkeys((*names, *trimmed)), **known}


def collection_story(world: World) -> Params:
    world.insert(ITEMS, story("3141592653589793238", "Ann", ago(hours=1)))
    world.insert(CORE, owner("77", "ann"))
    world.insert(SUMMARY, rates("77", avg_er=0.0234567, avg_static_er=0.01, reels_er=0.05, reels_er_non_outliers=0.04))
    figures = {"profile_er": 2.3457, "profile_static_er": 1.0, "profile_reels_er": 4.0}
    return {
        "profile_id": "77",
        "handle": "ann",
        "story_ids": ["3141592653589793238"],
        "profile_follower": 1000,
        **figures,
    }


def story_owner(world: World) -> Params:
    world.insert(ITEMS, story("3141592653589793238", "Ann", ago(hours=1)))
    return {"handle": "ann"}


def commented_post(world: World) -> Params:
    world.insert("dbt.comment_partners", {"partner_id": 11743})
    world.insert("dbt.stg_coffee_post_collection", {"id": "c1", "partner_id": 11743})
    row = {"id": 1, "platform": "INSTAGRAM", "post_type": "reels", "short_code": "CxAb_-12345"}
    world.insert(ITEMS, {**row, "post_collection_id": "c1"})
    world.insert(POSTS, {"id": 1, "shortcode": "CxAb_-12345", "publish_time": ago(days=5), "comments": 7})
    return {"shortcode": "CxAb_-12345", "max_comments": 1000}


def listed_stories(world: World) -> Params:
    world.insert("dbt.story_profiles", {"profile_id": "77", "handle": "ann"})
    return {"profile_id": "77", "handle": "ann"}


def sampled_creator(world: World) -> Params:
    world.insert("dbt.follower_sample_handles", {"handle": "ann"})
    world.insert(ACCOUNTS, {"ig_id": "77", "handle": "ann", "followers": 1000})
    return {"profile_id": "77"}


def programme_member(world: World) -> Params:
    world.insert("ds.trinity_graph", {"profile_id": "77", "following": 12, "profiles_i_follow": []})
    return {"profile_id": "77"}


def hashtag(world: World) -> Params:
    world.insert("dbt.tracked_hashtags", {"hashtag": "#ScalpGoals"})
    return {"hashtag": "ScalpGoals", "max_posts": 2000}


def connected(world: World) -> Params:
    world.insert(CREDENTIALS, {"id": 1, "source": "graphapi", "handle": "ann", "enabled": 1})
    return {"handle": "ann"}


def connected_post(world: World, **changed: Any) -> Params:
    connected(world)
    sent = {"shortcode": "CxAb_-12345", "handle": "ann", "post_id": "17900000000000001", "post_type": "reels"}
    world.insert(POSTS, {"id": 1, **sent, "profile_id": "77", "publish_time": ago(hours=1), **changed})
    return sent


def connected_story(world: World) -> Params:
    connected_post(world, post_type="story", shortcode="3141592653589793238")
    return {
        "story_id": "17900000000000001",
        "shortcode": "3141592653589793238",
        "profile_id": "77",
        "handle": "ann",
    }


def large_account(world: World) -> Params:
    row = {"ig_id": "77", "handle": "ann", "name": 'Ann "A" O\'Hara', "bio": None, "country": "IN"}
    world.insert(ACCOUNTS, {**row, "followers": 100_000, "primary_category": "Food & Drinks"})
    return {"data": {"handle": "ann", "name": 'Ann "A" O\'Hara', "bio": ""}}


def large_account_with_category(world: World) -> Params:
    return {"data": {**large_account(world)["data"], "category": "Food & Drinks"}}


@dataclass(frozen=True)
class Eligible:
    """One entity that a source must choose: `insert` puts it into the tables and returns the params expected for it."""

    flow: str
    limit: int
    insert: Callable[[World], Params]


EVERY_SOURCE = {
    "sync_insta_profiles_by_handle": Eligible("refresh_profile_by_handle", 800, tracked_profile),
    "sync_insta_collection_posts": Eligible("refresh_post_by_shortcode", 250, collection_post),
    "sync_g3_collection_posts": Eligible("refresh_post_by_shortcode", 100, g3_post),
    "sync_insta_collection_stories": Eligible("refresh_story_posts_by_profile_id", 250, collection_story),
    "sync_insta_collection_stories.refresh_profiles": Eligible("refresh_profile_by_handle", 250, story_owner),
    "sync_insta_post_comments": Eligible("fetch_post_comments", 250, commented_post),
    "sync_insta_stories_explicitly": Eligible("refresh_story_posts_by_profile_id", 1000, listed_stories),
    "sync_insta_profile_followers": Eligible("fetch_profile_followers", 500, sampled_creator),
    "sync_insta_profile_following": Eligible("fetch_profile_following", 300, programme_member),
    "track_hashtags": Eligible("fetch_hashtag_posts", 50, hashtag),
    "sync_insta_stories": Eligible("refresh_stories_posts", 1000, connected),
    "sync_insta_story_insights": Eligible("refresh_story_insights", 1000, connected_story),
    "sync_insta_post_insights": Eligible("refresh_post_insights", 1000, connected_post),
    "sync_insta_profile_insights": Eligible("refresh_profile_insights", 1000, connected),
    **{
        f"sync_instagram_gpt_data_{question}": Eligible(f"refresh_instagram_gpt_data_{question}", limit, insert)
        for question, limit, insert in (
            ("base_gender", 25_000, large_account),
            ("base_location", 25_000, large_account),
            ("base_categ_lang_topics", 25_000, large_account),
            ("audience_age_gender", 25_000, large_account_with_category),
            ("audience_cities", 25_000, large_account),
            ("gender_location_lang", 3500, large_account),
        )
    },
}


def test_every_source_is_tried_here(sources: dict[str, ScrapeSource]) -> None:
    assert set(sources) == set(EVERY_SOURCE)


@pytest.mark.parametrize("name", EVERY_SOURCE)
def test_the_request_has_the_shape_that_the_flow_takes_and_waits_for_its_cool_down(name: str, world: World) -> None:
    eligible, source = EVERY_SOURCE[name], world.sources[name]
    params = eligible.insert(world)
    assert (source.flow, source.platform, source.limit) == (eligible.flow, "INSTAGRAM", eligible.limit)
    assert world.requests(name) == [params]
    assert FLOWS[source.flow].misfit(source.flow, params) is None

    assert source.cool_down, "nobody is asked about at every run"
    world.asked(source, params, NOW - source.cool_down - MOMENT)
    world.asked(source, params, NOW, flow="another_flow")
    for _ in range(source.attempts_in_cool_down):
        assert world.requests(name) == [params]
        world.asked(source, params, NOW - source.cool_down + MOMENT, "PENDING", "PROCESSING", "COMPLETE")
    assert world.requests(name) == []


RETRIED_SOONER = {
    "sync_insta_collection_stories": timedelta(hours=2),
    "sync_insta_collection_stories.refresh_profiles": timedelta(hours=2),
    "sync_insta_stories": timedelta(hours=2),
    "sync_instagram_gpt_data_audience_cities": timedelta(days=1),
    "sync_instagram_gpt_data_gender_location_lang": timedelta(days=1),
}


@pytest.mark.parametrize(("name", "after"), RETRIED_SOONER.items())
def test_a_failed_request_is_repeated_before_the_cool_down_is_over(name: str, after: timedelta, world: World) -> None:
    source, params = world.sources[name], EVERY_SOURCE[name].insert(world)
    world.asked(source, params, NOW - after - MOMENT, "PENDING", "FAILED")
    assert world.requests(name) == [params]
    world.asked(source, params, NOW - after + MOMENT, "PENDING", "FAILED")
    assert world.requests(name) == []


GIVEN_UP_AFTER = {
    "sync_insta_profiles_by_handle": (4, 183),
    "sync_insta_collection_posts": (2, 30),
    "sync_g3_collection_posts": (2, 30),
    "sync_insta_collection_stories.refresh_profiles": (4, 183),
    "sync_insta_post_comments": (2, 30),
    "sync_insta_profile_followers": (8, 14),
    "sync_insta_profile_following": (3, 30),
    **{name: (4, 90) for name in EVERY_SOURCE if "_gpt_" in name},
}


def test_no_other_source_gives_up(sources: dict[str, ScrapeSource]) -> None:
    assert {name for name, source in sources.items() if source.failure_rule} == set(GIVEN_UP_AFTER)


@pytest.mark.parametrize(("name", "rule"), GIVEN_UP_AFTER.items())
def test_who_always_fails_is_given_up(name: str, rule: tuple[int, int], world: World) -> None:
    source, params = world.sources[name], EVERY_SOURCE[name].insert(world)
    failures, days = rule
    world.failed(source, params, ago(days=days + 1), "(404, 'Something went wrong')")
    for text in ("(204, 'x')", "(409, 'x')", "(429, 'x')"):
        world.failed(source, params, ago(days=3), text)
    for _ in range(failures):
        assert world.requests(name) == [params]
        world.failed(source, params, ago(days=days - 1), "(404, 'Something went wrong')")
    assert world.requests(name) == []


# ---- the rules of each query


def test_profiles_are_served_by_urgency_and_within_it_in_an_order_that_changes_daily(world: World) -> None:
    handles = [f"h{number}" for number in range(12)]
    rows = [{"handle": handle, "source": "rest", "priority": 8} for handle in handles]
    rows += [
        {"handle": "z_first", "source": "listed", "priority": 0},
        {"handle": "y_second", "source": "app", "priority": 1},
    ]
    world.insert("dbt.mart_instagram_tracked_profiles", *rows)
    shuffled = [
        handle
        for (handle,) in world.client.execute(
            "select arrayJoin(%(handles)s) as handle order by cityHash64(handle, toDate(now('UTC')))",
            {"handles": handles},
        )
    ]
    assert world.chosen("sync_insta_profiles_by_handle") == ["z_first", "y_second", *shuffled]
    assert shuffled != sorted(shuffled)
    assert world.chosen("sync_insta_profiles_by_handle", limit=1) == ["z_first"]


def test_only_young_instagram_posts_of_chosen_collections_are_refreshed_longer(world: World) -> None:
    world.insert("dbt.refreshed_collections", {"collection_id": "20"}, {"collection_id": "21"})

    def post(code: str, collection: str = "20", platform: str = "INSTAGRAM", kind: str | None = "image") -> Params:
        return {"collection_id": collection, "platform": platform, "post_short_code": code, "post_type": kind}

    world.insert(
        "dbt.mart_collection_post",
        post("recent"), post("old"), post("unknown"), post("untyped", kind=None), post("recent", collection="21"),
        post("elsewhere", collection="22"), post("video", platform="YOUTUBE"), post("dum", kind="story"),
        post("3141592653589793238"), post("ancient"), post(""),
    )  # fmt: skip
    published = {"recent": 1, "old": 89, "untyped": 30, "ancient": 91}
    world.insert(
        POSTS,
        *(
            {"id": number, "shortcode": code, "publish_time": ago(days=days)}
            for number, (code, days) in enumerate(published.items())
        ),
    )
    assert world.chosen("sync_g3_collection_posts") == ["unknown", "old", "untyped", "recent"]
    assert world.chosen("sync_g3_collection_posts", limit=2) == ["unknown", "old"]


STORIES, OWNERS = "sync_insta_collection_stories", "sync_insta_collection_stories.refresh_profiles"


def known(world: World, *handles: str) -> None:
    world.insert(CORE, *(owner(f"id_{handle}", handle) for handle in handles))
    world.insert(SUMMARY, *(rates(f"id_{handle}", avg_er=0.02) for handle in handles))


def test_only_new_stories_without_figures_are_asked_for(world: World) -> None:
    known(world, "ann", "ben")
    hour = ago(hours=1)
    world.insert(
        ITEMS,
        story("11111", "ann", hour), story("story_dum_x", "ann", ago(hours=2)),
        story("1111", "ann", hour), story("storyXdumXy", "ann", hour), story("abcdef", "ann", hour),
        story("22222", "ann", hour, platform="YOUTUBE"), story("33333", "ann", hour, post_type="reels"),
        story("44444", "ann", ago(hours=25)), story("55555", None, hour), story("66666", "", hour),
        story("77777", "ann", hour), story("88888", "ann", hour), story("99999", "ann", hour),
        story("12121", "ben", ago(hours=3)), story("12121", "cem", ago(hours=4)),
    )  # fmt: skip
    reading = {"platform": "INSTAGRAM", "event_timestamp": hour}
    unmeasured = '{"profile_follower": 0, "profile_er": null}'
    world.insert(
        "_e.post_log_events",
        {**reading, "shortcode": "77777", "metrics": '{"profile_follower": 5, "profile_er": 0}'},
        {**reading, "shortcode": "88888", "metrics": '{"profile_er": 0.5}'},
        {**reading, "shortcode": "99999", "metrics": unmeasured},
        {**reading, "shortcode": "11111", "metrics": '{"likes": 5}'},
        {"platform": "INSTAGRAM", "event_timestamp": ago(days=3), "shortcode": "11111",
         "metrics": '{"profile_follower": 5}'},
        {"platform": "YOUTUBE", "event_timestamp": hour, "shortcode": "11111", "metrics": '{"profile_follower": 5}'},
    )  # fmt: skip
    assert [(sent["handle"], sent["story_ids"]) for sent in world.requests(STORIES)] == [
        ("ben", ["12121"]),
        ("ann", ["story_dum_x", "11111", "99999"]),
    ]
    assert [sent["handle"] for sent in world.requests(STORIES, limit=1)] == ["ben"]
    assert world.requests(OWNERS) == []


def test_owners_of_the_longest_waiting_stories_come_first_and_the_limit_cuts_the_rest(world: World) -> None:
    waiting = (("young", 1), ("old", 5), ("middle", 3), ("b_tie", 2), ("a_tie", 2))
    rows = (story(f"1000{number}", handle, ago(hours=hours)) for number, (handle, hours) in enumerate(waiting))
    world.insert(ITEMS, *rows)
    assert world.chosen(OWNERS) == ["old", "middle", "a_tie", "b_tie", "young"]
    assert world.chosen(OWNERS, limit=2) == ["old", "middle"]


def test_collection_posts_never_scraped_come_first_then_the_oldest_and_the_limit_cuts_the_rest(world: World) -> None:
    item = {"id": 1, "platform": "INSTAGRAM", "post_type": "reels", "created_at": ago(days=1)}
    published = {"Cyoung": 1, "Cold": 13, "Cmiddle": 6}
    world.insert(ITEMS, *({**item, "short_code": code} for code in (*published, "Cunknown_b", "Cunknown_a")))
    rows = ({"id": days, "shortcode": code, "publish_time": ago(days=days)} for code, days in published.items())
    world.insert(POSTS, *rows)
    name = "sync_insta_collection_posts"
    assert world.chosen(name) == ["Cunknown_a", "Cunknown_b", "Cold", "Cmiddle", "Cyoung"]
    assert world.chosen(name, limit=3) == ["Cunknown_a", "Cunknown_b", "Cold"]


def test_a_story_waits_six_hours_for_an_owner_who_is_not_known_well(world: World) -> None:
    """Each of these owners lacks something; each has a story of an hour and one of seven hours."""
    lacking = ("stale", "unseen", "uncounted", "nobody", "unrated", "rated_zero")
    world.insert(
        CORE,
        owner("1", "stale", seen=ago(days=8)), owner("2", "unseen", seen=None),
        owner("3", "uncounted", followers=None), owner("4", "nobody", followers=0),
        owner("5", "unrated"), owner("6", "rated_zero"), owner("7", "fresh", seen=ago(days=6)),
    )  # fmt: skip
    world.insert(SUMMARY, *(rates(number, avg_er=0 if number == "6" else 0.02) for number in "123467"))
    handles = (*lacking, "fresh", "stranger")
    world.insert(
        ITEMS,
        *(story(f"10000{number}", handle, ago(hours=1)) for number, handle in enumerate(handles)),
        *(story(f"20000{number}", handle, ago(hours=7)) for number, handle in enumerate(handles)),
    )
    sent = {request["handle"]: request for request in world.requests(STORIES)}
    assert {handle: len(request["story_ids"]) for handle, request in sent.items()} == {
        "fresh": 2,
        **dict.fromkeys(lacking, 1),
    }
    assert all(sent[handle]["story_ids"][0].startswith("2") for handle in lacking)
    base = {"profile_id", "handle", "story_ids"}
    assert set(sent["uncounted"]) == {*base, "profile_er"}, "what is unknown is left out"
    assert set(sent["nobody"]) == {*base, "profile_er"}
    assert set(sent["unrated"]) == {*base, "profile_follower"}
    assert sorted(world.chosen(OWNERS)) == sorted([*lacking, "stranger"])


def test_figures_are_those_of_todays_scrape_if_there_was_one_and_of_the_profile_that_has_the_name_now(
    world: World,
) -> None:
    world.insert(ITEMS, story("11111", "ann", ago(hours=1)))
    world.insert(CORE, owner("1", "ann", seen=ago(days=2), followers=10), owner("2", "ann", followers=20))
    world.insert(SUMMARY, rates("1", avg_er=0.5), rates("2", avg_er=0.5, reels_er=0.5))
    world.insert(PARTIAL_SUMMARY, rates("2", avg_er=0.02, avg_er_non_outliers=0.03))
    base = {"profile_id": "2", "handle": "ann", "story_ids": ["11111"]}
    assert world.requests(STORIES) == [{**base, "profile_follower": 20, "profile_er": 3.0}]


def test_comments_are_fetched_of_grown_posts_of_chosen_partners(world: World) -> None:
    world.insert("dbt.comment_partners", {"partner_id": 1})
    partners = {"mine": 1, "foreign": 2, "nobodys": None}
    world.insert(
        "dbt.stg_coffee_post_collection", *({"id": name, "partner_id": partner} for name, partner in partners.items())
    )

    def item(code: str, collection: str = "mine", **changed: Any) -> Params:
        row = {"id": 1, "platform": "INSTAGRAM", "post_type": "reels", "short_code": code}
        return {**row, "post_collection_id": collection, **changed}

    def post(code: str, days: float, comments: int | None = 10) -> Params:
        return {"id": crc32(code.encode()), "shortcode": code, "publish_time": ago(days=days), "comments": comments}

    grown = ("older", "grown", "foreign", "nobodys", "video", "story", "complete", "some", "lately", "aged", "many")
    world.insert(
        ITEMS,
        *(item(code) for code in grown if code not in partners and code not in ("video", "story")),
        item("grown"), item("foreign", "foreign"), item("nobodys", "nobodys"), item("video", platform="YOUTUBE"),
        item("story", post_type="story"), item("12345"), item("young"), item("silent"), item("unread"),
        item("uncounted"),
    )  # fmt: skip
    world.insert(
        POSTS, *(post(code, 5) for code in grown if code not in ("older", "aged")), post("older", 50), post("aged", 61),
        post("12345", 5), post("young", 3), post("silent", 5, 0), post("uncounted", 5, None),
    )  # fmt: skip

    def stored(code: str, count: int, days: float, kind: str = "COMMENT", platform: str = "INSTAGRAM") -> list[Params]:
        row = {"platform": platform, "activity_type": kind, "shortcode": code, "event_timestamp": ago(days=days)}
        return [{**row, "dimensions": json.dumps({"comment_id": str(number)})} for number in range(count)]

    world.insert(
        "_e.post_activity_log_events",
        *stored("complete", 5, 8), *stored("some", 4, 8), *stored("some", 4, 9), *stored("lately", 4, 6),
        *stored("aged", 4, 8), *stored("grown", 9, 1, kind="LIKE"), *stored("older", 9, 1, platform="YOUTUBE"),
        *stored("many", 5, 8),
    )  # fmt: skip
    world.insert(POSTS, {"id": 77, "shortcode": "many", "publish_time": ago(days=5), "comments": 11,
                         "updated_at": NOW})  # fmt: skip
    assert world.chosen("sync_insta_post_comments") == ["older", "grown", "many", "some"]
    assert world.chosen("sync_insta_post_comments", limit=1) == ["older"]


def test_a_thousand_comments_are_all_that_one_request_fetches(world: World) -> None:
    params = commented_post(world)
    world.insert(POSTS, {"id": 1, "shortcode": params["shortcode"], "publish_time": ago(days=5), "comments": 90_000,
                         "updated_at": NOW})  # fmt: skip
    row = {"platform": "INSTAGRAM", "activity_type": "COMMENT", "shortcode": params["shortcode"]}
    comments = [
        {**row, "event_timestamp": ago(days=8), "dimensions": json.dumps({"comment_id": str(number)})}
        for number in range(500)
    ]
    world.insert("_e.post_activity_log_events", *comments[:499])
    assert world.requests("sync_insta_post_comments") == [params]
    world.insert("_e.post_activity_log_events", comments[499])
    assert world.requests("sync_insta_post_comments") == []


def test_both_lists_of_story_profiles_count(world: World) -> None:
    world.insert("dbt.story_profiles", {"profile_id": "2", "handle": "ben"}, {"profile_id": "9", "handle": ""})
    others = (
        {"profile_id": "1", "handle": "ann"},
        {"profile_id": "2", "handle": "ben"},
        {"profile_id": "", "handle": "x"},
    )
    world.insert("ds.explicitly_instagram_stories", *others)
    expected = [{"profile_id": "1", "handle": "ann"}, {"profile_id": "2", "handle": "ben"}]
    assert world.requests("sync_insta_stories_explicitly") == expected
    assert world.requests("sync_insta_stories_explicitly", limit=1) == expected[:1]


def test_followers_are_collected_of_listed_creators_until_there_are_more_than_500(world: World) -> None:
    world.insert("dbt.follower_sample_handles", *({"handle": handle} for handle in ("ann", "ben", "cem", "dia")))
    others = ("eve", "fay", "gus", "hal", "not_an_account")
    world.insert("ds.creator_handles_fake_follower_poc", *({"handle": handle} for handle in others))
    followers = {"ann": 1000, "ben": 0, "cem": None, "dia": 5, "eve": 5, "fay": 5, "gus": 5, "hal": 5, "unlisted": 1000}
    world.insert(
        ACCOUNTS,
        *({"ig_id": f"id_{handle}", "handle": handle, "followers": count} for handle, count in followers.items()),
    )
    stored = ({"target_profile_id": f"id_{handle}", "followers_in_db": count} for handle, count in
              {"ann": 500, "dia": 501, "eve": 3, "hal": 3}.items())  # fmt: skip
    world.insert("dbt.mart_instagram_profiles_followers_count", *stored)

    def follows(target: str, count: int, when: datetime = NOW, kind: str = "FOLLOWS") -> list[Params]:
        row = {"platform": "INSTAGRAM", "relationship_type": kind, "target_profile_id": f"id_{target}"}
        return [
            {**row, "event_timestamp": when, "source_dimensions": json.dumps({"handle": f"f{number}"})}
            for number in range(count)
        ]

    nameless = [{**row, "source_dimensions": "{}"} for row in follows("gus", 1)]
    world.insert(
        "_e.profile_relationship_log_events",
        *follows("fay", 501), *follows("hal", 501), *follows("gus", 500), *follows("gus", 500), *nameless,
        *follows("eve", 501, ago(days=2)), *follows("eve", 501, kind="BLOCKS"),
        *({**row, "platform": "OTHER"} for row in follows("eve", 501)),
    )  # fmt: skip
    assert world.chosen("sync_insta_profile_followers") == ["id_eve", "id_ann", "id_gus"]
    assert world.chosen("sync_insta_profile_followers", limit=1) == ["id_eve"]


def test_following_is_asked_of_members_whose_row_names_nobody(world: World) -> None:
    rows = (("3", 5, []), ("1", 1, []), ("followed", 5, ["x"]), ("loner", 0, []), ("unknown", None, []), ("", 5, []))
    world.insert(
        "ds.trinity_graph",
        *(
            {"profile_id": profile, "following": following, "profiles_i_follow": names}
            for profile, following, names in rows
        ),
    )
    assert world.chosen("sync_insta_profile_following") == ["1", "3"]
    assert world.chosen("sync_insta_profile_following", limit=1) == ["1"]


def test_hashtags_are_sent_once_and_without_their_sign(world: World) -> None:
    world.insert("dbt.tracked_hashtags", *({"hashtag": text} for text in ("#b", " b ", "a", "#", "")))
    assert world.chosen("track_hashtags") == ["a", "b"]
    assert world.chosen("track_hashtags", limit=1) == ["a"]


def credentials(world: World) -> None:
    rows = (("graphapi", "ann", 1), ("graphapi", "ann", 1), ("graphapi", "ben", 1), ("graphapi", "off", 0),
            ("graphapi", "unset", None), ("ytapi", "tube", 1), ("graphapi", None, 1), ("graphapi", "", 1))  # fmt: skip
    world.insert(
        CREDENTIALS,
        *(
            {"id": number, "source": source, "handle": handle, "enabled": enabled}
            for number, (source, handle, enabled) in enumerate(rows)
        ),
    )


def test_stories_are_listed_of_enabled_graph_api_accounts(world: World) -> None:
    credentials(world)
    assert world.chosen("sync_insta_stories") == ["ann", "ben"]
    assert world.chosen("sync_insta_stories", limit=1) == ["ann"]


def test_profile_insights_are_renewed_weekly_the_oldest_first(world: World) -> None:
    rows = {"never": None, "fresh": 6, "week": 8, "month": 30, "twice": 30}
    world.insert(
        CREDENTIALS,
        *({"id": number, "source": "graphapi", "handle": handle, "enabled": 1} for number, handle in enumerate(rows)),
        {"id": 9, "source": "graphapi", "handle": "off", "enabled": 0},
    )
    world.insert(
        "dbt.stg_beat_instagram_profile_insights",
        *({"id": days, "handle": handle, "updated_at": ago(days=days)} for handle, days in rows.items() if days),
        {"id": 99, "handle": "twice", "updated_at": ago(days=1)},
    )
    assert world.chosen("sync_insta_profile_insights") == ["never", "month", "week"]
    assert world.chosen("sync_insta_profile_insights", limit=2) == ["never", "month"]


POST = {"shortcode": "c", "handle": "ann", "post_id": "p", "profile_id": "77", "post_type": "image", "hours": 5.0}


@pytest.mark.parametrize(
    ("name", "kinds", "hours"),
    [
        ("sync_insta_post_insights", ("reels", "image", "carousel"), 27 * 24),
        ("sync_insta_story_insights", ("story",), 30),
    ],
)
def test_insights_are_read_of_recent_posts_of_connected_accounts_the_oldest_first(
    name: str, kinds: Sequence[str], hours: float, world: World
) -> None:
    credentials(world)
    key = world.sources[name].entity_column
    posts = [
        *({"shortcode": f"c{place}", "post_id": f"c{place}", "post_type": kind, "hours": hours - 1 - place}
          for place, kind in enumerate(kinds)),
        {"shortcode": "twin", "post_id": "twin", "hours": 2.0},
        {"shortcode": "sold", "post_id": "sold"},
        {"shortcode": "too_old", "post_id": "too_old", "hours": 31 * 24 + 1.0},
        {"shortcode": "off", "post_id": "off", "handle": "off"},
        {"shortcode": "stranger", "post_id": "stranger", "handle": "stranger"},
        {"shortcode": "no_owner", "post_id": "no_owner", "handle": ""},
        {"shortcode": "other_kind", "post_id": "other_kind", "post_type": "video"},
        {"shortcode": "no_id", "post_id": None}, {"shortcode": "empty_id", "post_id": ""},
        {"shortcode": "", "post_id": "no_code"}, {"shortcode": None, "post_id": "null_code"},
    ]  # fmt: skip
    if name == "sync_insta_story_insights":
        posts.append({"shortcode": "no_profile", "post_id": "no_profile", "profile_id": None})
        posts.append({"shortcode": "yesterdays", "post_id": "yesterdays", "hours": 30.1})
    rows = [{**POST, "post_type": kinds[0], **post} for post in posts]
    for number, row in enumerate(rows):
        row |= {"id": number, "publish_time": ago(hours=row.pop("hours")), "updated_at": ago(hours=1)}
    oldest, twin, sold = rows[0], rows[len(kinds)], rows[len(kinds) + 1]
    world.insert(POSTS, *rows, {**twin, "id": 999})  # the same post stored under another id
    # Of two versions of a row the newer counts.
    world.insert(POSTS, {**oldest, "handle": "stranger", "updated_at": ago(hours=2)})
    world.insert(POSTS, {**sold, "handle": "stranger", "updated_at": NOW})
    expected = [*(f"c{place}" for place in range(len(kinds))), "twin"]
    assert [params[key] for params in world.requests(name)] == expected
    assert world.chosen(name, limit=1) == ["c0"]


GPT = "sync_instagram_gpt_data_"
CURRENT, EARLIER = "openapi_profile_info_v0.12", "openapi_profile_info_v0.10"
SIX_CITIES = {"audience_city": dict.fromkeys(("delhi", "pune", "kochi", "surat", "patna", "others"), 0.1)}


def answer(handle: str, dimensions: Mapping[str, Any], source: str = CURRENT, when: datetime = NOW) -> Params:
    row = {"event_id": f"{handle}{when}", "platform": "INSTAGRAM", "source": source, "profile_id": handle}
    return {**row, "event_timestamp": when, "dimensions": json.dumps(dimensions)}


def accounts(world: World, **changed: Params) -> None:
    rows = {"large": {}, "larger": {"followers": 300_000}, **changed}
    common = {"country": "IN", "followers": 200_000, "name": "N", "bio": "b", "primary_category": None}
    world.insert(ACCOUNTS, *({"ig_id": f"id_{name}", "handle": name, **common, **row} for name, row in rows.items()))


@pytest.mark.parametrize(
    ("question", "key", "pinned"),
    [
        ("base_gender", "gender", True),
        ("base_location", "city", True),
        ("base_categ_lang_topics", "topics", True),
        ("audience_age_gender", "audience_gender_age", False),
        ("audience_cities", "audience_city", False),
        ("gender_location_lang", "city", True),
    ],
)
def test_a_language_model_is_asked_about_large_accounts_without_its_answer(
    question: str, key: str, pinned: bool, world: World
) -> None:
    accounts(
        world,
        small={"followers": 99_999},
        uncounted={"followers": None},
        nameless={"handle": None},
        abroad={"country": "US", "followers": 150_000},
        nowhere={"country": None, "followers": 140_000},
        answered={},
        answered_earlier={"followers": 130_000},
        answered_otherwise={"followers": 120_000},
    )
    said = SIX_CITIES if key == "audience_city" else {key: "x"}
    world.insert(
        "_e.profile_log_events",
        answer("answered", said),
        answer("answered_earlier", said, EARLIER),
        answer("answered_otherwise", {"handle": "answered_otherwise", "state": "x"}),
        answer("large", said, "rapidapi-jotucker"),
    )
    everywhere = ["abroad", "nowhere"] if question == "gender_location_lang" else []
    again = ["answered_earlier"] if pinned else []
    expected = ["larger", "large", *everywhere, *again, "answered_otherwise"]
    assert world.chosen(GPT + question) == expected
    assert world.chosen(GPT + question, limit=1) == ["larger"]


def test_an_answer_of_four_cities_or_fewer_is_none(world: World) -> None:
    accounts(world, worse={}, better={})
    four = {"audience_city": dict.fromkeys(("delhi", "pune", "kochi", "others"), 0.2)}
    five = {"audience_city": {**four["audience_city"], "surat": 0.2}}
    world.insert(
        "_e.profile_log_events",
        answer("large", four),
        answer("larger", five),
        answer("worse", SIX_CITIES, when=ago(days=2)),
        answer("worse", four, when=ago(days=1)),
        answer("worse", {"gender": "MALE"}),
        answer("better", four, when=ago(days=2)),
        answer("better", SIX_CITIES, when=ago(days=1)),
    )
    assert world.chosen(GPT + "audience_cities") == ["large", "worse"]


def test_an_account_without_category_is_sent_as_missing(world: World) -> None:
    accounts(world, blank={"primary_category": "", "followers": 100_000})
    sent = world.requests(GPT + "audience_age_gender")
    assert [params["data"]["category"] for params in sent] == ["Missing"] * 3


@pytest.mark.parametrize("question", ["base_gender", "base_location"])
def test_an_account_that_the_combined_question_was_put_about_is_not_asked_about_twice(
    question: str, world: World
) -> None:
    accounts(world)
    combined = world.sources[GPT + "gender_location_lang"]
    world.asked(combined, {"data": {"handle": "large"}}, ago(days=29))
    assert world.chosen(GPT + question) == ["larger"]
    world.asked(combined, {"data": {"handle": "larger"}}, ago(days=29), "PENDING", "FAILED")
    assert world.chosen(GPT + question) == ["larger"]


def test_answers_count_by_the_prompt_versions_that_their_readers_use(sources: dict[str, ScrapeSource]) -> None:
    read = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    sql = sources[GPT + "base_gender"].candidate_sql()
    assert sql.count(f"source = '{read['gpt_profile_info_prompt']}'") == 3
    assert f"startsWith(source, '{read['gpt_audience_prompt']}')" in sql
