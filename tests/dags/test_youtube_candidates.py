"""Whom the YouTube and shop DAGs ask Beat about: each query on real ClickHouse, one row for each reason."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from candidate_tables import PROJECT, CandidateTables
from clickhouse_driver import Client
from stir import warehouse
from stir.scrape_request import ScrapeSource

from devstack.beat.flows import FLOWS
from devstack.services import ClickHouseService

pytestmark = pytest.mark.integration

MODULES = {"youtube.py", "orders.py"}
NOW = datetime.now(UTC).replace(microsecond=0)
MOMENT = timedelta(minutes=5)
NOT_FOUND = "(404, 'Something went wrong')"
Params = dict[str, Any]

REQUESTS, REQUEST_LOG = "_e.scrape_request_log_events", "dbt.stg_beat_scrape_request_log"
ADDED, SCRAPED = "dbt.stg_coffee_view_youtube_account_lite", "dbt.stg_beat_youtube_account"
ITEMS, VIDEOS = "dbt.stg_coffee_post_collection_item", "dbt.stg_beat_youtube_post"
TRACKED, CREDENTIALS = "dbt.mart_youtube_tracked_profiles", "dbt.stg_beat_credential"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def channel(number: int, ending: str = "A") -> str:
    return f"UC{number:021d}{ending}"


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

    def logged(self, flow: str, params: Params, when: datetime, status: str, text: str | None = None) -> None:
        """One finished request in Beat's own log."""
        self.number += 1
        row = {"id": self.number, "flow": flow, "params": json.dumps(params), "status": status}
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
    """Sources by DAG id."""
    return {
        dag_id: task.op_kwargs["source"]
        for dag_id, dag in dag_bag.dags.items()
        if Path(dag.fileloc).name in MODULES
        for task in dag.tasks
        if isinstance(task.op_kwargs.get("source"), ScrapeSource)
    }


@pytest.fixture(scope="module")
def tables(clickhouse_service: ClickHouseService, sources: dict[str, ScrapeSource]) -> Iterator[World]:
    at = clickhouse_service.endpoint
    client = Client(at.host, port=at.native_port, user=at.user, password=at.password)
    connection = {"host": at.host, "port": at.native_port, "login": at.user, "password": at.password}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_GCC", json.dumps({"conn_type": "generic", **connection}))
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


def tracked(handle: str, *, due: datetime | None = None, videos: datetime | None = None, priority: int = 1) -> Params:
    row = {"handle": handle, "priority": priority, "source": "listed", "frequency": 1}
    return {**row, "next_attempt": due or ago(hours=1), "next_videos_attempt": videos or ago(hours=1)}


def due_channel(world: World) -> Params:
    world.insert(TRACKED, tracked(channel(1), videos=NOW + timedelta(days=1)))
    return {"channel_ids": [channel(1)]}


def due_videos(world: World) -> Params:
    world.insert(TRACKED, tracked(channel(1), due=NOW + timedelta(days=1)))
    return {"channel_id": channel(1), "max_posts": 50}


def new_channel(world: World) -> Params:
    world.insert(ADDED, {"id": 1, "channel_id": channel(1), "followers": 0, "created_at": ago(days=3)})
    return {"channel_ids": [channel(1)]}


def collection_video(world: World) -> Params:
    row = {"id": 1, "platform": "YOUTUBE", "short_code": "dQw4w9WgXcQ"}
    world.insert(ITEMS, {**row, "created_at": ago(days=1)})
    return {"post_ids": ["dQw4w9WgXcQ"]}


def commented_video(world: World) -> Params:
    world.insert("dbt.comment_partners", {"partner_id": 11743})
    world.insert("dbt.stg_coffee_post_collection", {"id": "c1", "partner_id": 11743})
    row = {"id": 1, "platform": "YOUTUBE", "short_code": "dQw4w9WgXcQ", "post_collection_id": "c1"}
    world.insert(ITEMS, row)
    world.insert(VIDEOS, {"id": 1, "shortcode": "dQw4w9WgXcQ", "published_at": ago(days=5), "comments": 7})
    return {"shortcode": "dQw4w9WgXcQ", "max_comments": 1000}


def untyped_video(world: World) -> Params:
    world.insert(VIDEOS, {"id": 1, "shortcode": "dQw4w9WgXcQ", "post_type": None})
    return {"post_id": "dQw4w9WgXcQ"}


def listed_channel(world: World) -> Params:
    world.insert("dbt.critical_youtube_channels", {"channel_id": channel(1)})
    return {"channel_ids": [channel(1)]}


def genre(world: World) -> Params:
    world.insert("dbt.video_genres", {"category": "Food & Drinks"})
    world.insert("dbt.video_genre_languages", {"language": "any"})
    return {"category": "Food & Drinks", "language": ""}


def connected_channel(world: World) -> Params:
    world.insert(CREDENTIALS, {"id": 1, "source": "ytapi", "handle": channel(1), "enabled": 1})
    return {"channel_id": channel(1)}


def indian_channel(world: World) -> Params:
    world.insert("vidooly.youtube_channels_india", {"id": channel(1)})
    return {"channel_id": channel(1)}


@dataclass(frozen=True)
class Eligible:
    """One entity that a source must choose: `insert` puts it into the tables and returns the params expected for it."""

    flow: str
    limit: int
    insert: Callable[[World], Params]


EVERY_SOURCE = {
    "sync_yt_profiles_by_handle": Eligible("refresh_yt_profiles", 100_000, due_channel),
    "sync_yt_profiles_videos_by_handle": Eligible("refresh_yt_posts_by_playlist_id", 500, due_videos),
    "sync_yt_channels": Eligible("refresh_yt_profiles", 5000, new_channel),
    "sync_yt_collection_posts": Eligible("refresh_yt_posts", 250, collection_video),
    "sync_yt_post_comments": Eligible("fetch_yt_post_comments", 250, commented_video),
    "sync_yt_post_type": Eligible("refresh_yt_post_type", 1000, untyped_video),
    "sync_yt_profile_relationship_by_channel_id": Eligible("refresh_yt_profile_relationship", 1000, indian_channel),
    "sync_yt_critical_daily": Eligible("refresh_yt_profiles", 2000, listed_channel),
    "sync_yt_genre_videos": Eligible("refresh_yt_posts_by_genre", 1000, genre),
    "sync_yt_profile_insights": Eligible("refresh_yt_profile_insights", 1000, connected_channel),
}
ELSEWHERE = {"sync_shopify_orders"}


def test_every_source_is_tried_here(sources: dict[str, ScrapeSource]) -> None:
    assert set(sources) == set(EVERY_SOURCE) | ELSEWHERE


@pytest.mark.parametrize("name", EVERY_SOURCE)
def test_the_request_has_the_shape_that_the_flow_takes_and_waits_for_its_cool_down(name: str, world: World) -> None:
    eligible, source = EVERY_SOURCE[name], world.sources[name]
    params = eligible.insert(world)
    assert (source.flow, source.platform, source.limit) == (eligible.flow, "YOUTUBE", eligible.limit)
    assert world.requests(name) == [params]
    assert FLOWS[source.flow].misfit(source.flow, params) is None

    assert source.cool_down, "nobody is asked about at every run"
    world.asked(source, params, NOW - source.cool_down - MOMENT)
    world.asked(source, params, NOW, flow="another_flow")
    assert world.requests(name) == [params]
    world.asked(source, params, NOW - source.cool_down + MOMENT, "PENDING", "PROCESSING", "FAILED")
    assert world.requests(name) == []


def test_videos_that_people_asked_for_by_channel_are_not_asked_for_again(world: World) -> None:
    name = "sync_yt_profiles_videos_by_handle"
    due_videos(world)
    params = {"channel_id": channel(1), "filter": {"start_date": "2024-01-01"}}
    world.asked(world.sources[name], params, ago(hours=1), flow="refresh_yt_posts_by_channel_id")
    assert world.requests(name) == []


GIVEN_UP_AFTER = {
    "sync_yt_profiles_videos_by_handle": (4, 30),
    "sync_yt_collection_posts": (4, 30),
    "sync_yt_post_comments": (4, 30),
    "sync_yt_post_type": (4, 183),
}


def test_no_other_source_gives_up(sources: dict[str, ScrapeSource]) -> None:
    assert {name for name, source in sources.items() if source.failure_rule} == set(GIVEN_UP_AFTER)


@pytest.mark.parametrize(("name", "rule"), GIVEN_UP_AFTER.items())
def test_who_always_fails_is_given_up(name: str, rule: tuple[int, int], world: World) -> None:
    flow, params = world.sources[name].flow, EVERY_SOURCE[name].insert(world)
    failures, days = rule
    world.logged(flow, params, ago(days=days + 1), "FAILED", NOT_FOUND)
    for text in ("(204, 'x')", "(409, 'x')", "(429, 'x')"):
        world.logged(flow, params, ago(days=3), "FAILED", text)
    for text in (NOT_FOUND, None, "video 429 is gone", NOT_FOUND)[:failures]:
        assert world.requests(name) == [params]
        world.logged(flow, params, ago(days=days - 1), "FAILED", text)
    assert world.requests(name) == []
    world.logged(flow, params, ago(days=days - 2), "COMPLETE", "None")
    assert world.requests(name) == [params]


def test_forty_share_a_request_and_who_failed_goes_alone(world: World) -> None:
    """One bad video fails every request it is in: alone, it is the only one to be blamed."""
    codes = [f"v{number:010d}" for number in range(45)]
    row = {"platform": "YOUTUBE", "created_at": ago(days=1)}
    world.insert(ITEMS, *({**row, "id": number, "short_code": code} for number, code in enumerate(codes)))
    assert world.requests("sync_yt_collection_posts") == [{"post_ids": codes[:40]}, {"post_ids": codes[40:]}]

    world.logged("refresh_yt_posts", {"post_ids": codes[:3]}, ago(days=1), "FAILED", NOT_FOUND)
    world.logged("refresh_yt_posts", {"post_ids": codes[3:5]}, ago(days=1), "FAILED", "(429, 'Too many requests')")
    world.logged("refresh_yt_posts", {"post_ids": codes[1:2]}, ago(hours=13), "COMPLETE", "None")
    together = [code for code in codes if code not in (codes[0], codes[2])]
    assert world.requests("sync_yt_collection_posts") == [
        {"post_ids": together[:40]},
        {"post_ids": together[40:]},
        {"post_ids": codes[:1]},
        {"post_ids": codes[2:3]},
    ]


@pytest.mark.parametrize(
    ("name", "insert"),
    [
        ("sync_yt_profiles_by_handle", lambda world, ids: world.insert(TRACKED, *map(tracked, ids))),
        ("sync_yt_critical_daily", lambda world, ids: world.insert(
            "dbt.critical_youtube_channels", *({"channel_id": name} for name in ids))),
        ("sync_yt_channels", lambda world, ids: world.insert(
            ADDED, *({"id": 1, "channel_id": name, "followers": 0, "created_at": ago(days=1)} for name in ids))),
    ],
)  # fmt: skip
def test_forty_channels_share_a_request(name: str, insert: Callable[[World, list[str]], None], world: World) -> None:
    ids = [channel(number) for number in range(41)]
    insert(world, ids)
    assert world.requests(name) == [{"channel_ids": ids[:40]}, {"channel_ids": ids[40:]}]


# ---- the rules of each query


def test_tracked_channels_are_served_when_due_by_urgency_and_then_by_time(world: World) -> None:
    for number, name, time in (
        (1, "sync_yt_profiles_by_handle", "due"),
        (2, "sync_yt_profiles_videos_by_handle", "videos"),
    ):
        other = {"videos" if time == "due" else "due": NOW + timedelta(days=1)}
        world.insert(
            TRACKED,
            tracked(f"late{number}", priority=1, **{time: ago(hours=1)}, **other),
            tracked(f"urgent{number}", priority=0, **{time: ago(minutes=1)}, **other),
            tracked(f"later{number}", priority=1, **{time: ago(minutes=30)}, **other),
            tracked(f"last{number}", priority=5, **{time: ago(days=30)}, **other),
            tracked(f"not_due{number}", priority=0, **{time: NOW + MOMENT}, **other),
        )
        expected = [f"urgent{number}", f"late{number}", f"later{number}", f"last{number}"]
        assert world.chosen(name) == expected
        assert world.chosen(name, limit=2) == expected[:2]


def test_a_channel_that_never_answers_is_left_alone(world: World) -> None:
    silent = ("silent", "answered", "asked_nine_times", "failed", "asked_long_ago", "answered_long_ago", "updated_null")
    world.insert(TRACKED, *map(tracked, silent))
    for turn in range(10):
        ids = ["silent", "answered", "answered_long_ago", "updated_null", *(["asked_nine_times"] if turn else [])]
        world.logged("refresh_yt_profiles", {"channel_ids": ids}, ago(days=1 + turn), "COMPLETE", "None")
        world.logged("refresh_yt_profiles", {"channel_ids": ["failed"]}, ago(days=1 + turn), "FAILED", NOT_FOUND)
        world.logged("refresh_yt_profiles", {"channel_ids": ["asked_long_ago"]}, ago(days=61 + turn), "COMPLETE")
        world.logged("another_flow", {"channel_ids": ["asked_nine_times"]}, ago(days=1), "COMPLETE")
    updates = {"answered": ago(days=59), "answered_long_ago": ago(days=61), "updated_null": None}
    world.insert(
        SCRAPED,
        *(
            {"id": number, "channel_id": name, "updated_at": when}
            for number, (name, when) in enumerate(updates.items())
        ),
    )
    assert world.chosen("sync_yt_profiles_by_handle") == ["answered", "asked_long_ago", "asked_nine_times", "failed"]


def test_new_channels_without_followers_are_asked_for_the_newest_first(world: World) -> None:
    def added(name: str | None, days: float, followers: int | None = 0) -> Params:
        return {"id": 1, "channel_id": name, "followers": followers, "created_at": ago(days=days)}

    dashed = "UC_-" + "x" * 19 + "Q"
    world.insert(
        ADDED,
        added(channel(1, "g"), 5), added(channel(2, "w"), 2), added(dashed, 170), added(channel(3), 4, None),
        added(channel(2, "w"), 100),
        added(channel(4), 190), added(channel(5), 1, 1), added(channel(6, "B"), 1), added(channel(7) + "A", 1),
        added("x" + channel(8), 1), added(channel(9)[:-2] + "A", 1), added("UC." + "x" * 20 + "A", 1), added(None, 1),
        added(channel(10), 1), added(channel(11), 3),
    )  # fmt: skip
    world.insert(
        SCRAPED,
        {"id": 1, "channel_id": channel(10), "updated_at": ago(days=29)},
        {"id": 2, "channel_id": channel(11), "updated_at": ago(days=31)},
        {"id": 3, "channel_id": None, "updated_at": ago(days=1)},
    )
    expected = [channel(2, "w"), channel(11), channel(3), channel(1, "g"), dashed]
    assert world.chosen("sync_yt_channels") == expected
    assert world.chosen("sync_yt_channels", limit=2) == expected[:2]


def test_young_videos_of_collections_are_refreshed_unknown_ones_first_then_the_newest(world: World) -> None:
    def item(code: str | None, days: float = 1, platform: str = "YOUTUBE") -> Params:
        return {"id": 1, "platform": platform, "short_code": code, "created_at": ago(days=days)}

    world.insert(
        ITEMS,
        item("unknown_b"), item("unknown_a", 49), item("unknown_a", 400), item("undated"), item("young", 400),
        item("old", 400), item("republished"), item("young"),
        item("unknown_old", 51), item("too_old"), item("123456"), item(""), item(None), item("insta", 1, "INSTAGRAM"),
    )  # fmt: skip
    published = {"young": 1, "old": 49, "too_old": 51, "undated": None, "republished": 60}
    world.insert(
        VIDEOS,
        *(
            {"id": number, "shortcode": code, "published_at": None if days is None else ago(days=days)}
            for number, (code, days) in enumerate(published.items())
        ),
        {"id": 99, "shortcode": "republished", "published_at": ago(days=20)},
    )
    expected = ["undated", "unknown_a", "unknown_b", "young", "republished", "old"]
    assert world.chosen("sync_yt_collection_posts") == expected
    assert world.chosen("sync_yt_collection_posts", limit=4) == expected[:4]


def test_comments_are_fetched_of_grown_videos_of_chosen_partners_the_newest_first(world: World) -> None:
    world.insert("dbt.comment_partners", {"partner_id": 1})
    partners = {"mine": 1, "foreign": 2, "nobodys": None}
    world.insert(
        "dbt.stg_coffee_post_collection", *({"id": name, "partner_id": partner} for name, partner in partners.items())
    )

    def item(code: str, collection: str = "mine", platform: str = "YOUTUBE") -> Params:
        return {"id": 1, "platform": platform, "short_code": code, "post_collection_id": collection}

    ages = {"older": 50, "grown": 5, "some": 6, "complete": 7, "lately": 7, "aged": 61, "foreign": 5, "nobodys": 5,
            "insta": 5, "12345": 5, "young": 3, "silent": 5, "uncounted": 5, "many": 8}  # fmt: skip
    elsewhere = {"foreign", "nobodys"}
    world.insert(
        ITEMS,
        *(item(code, platform="INSTAGRAM" if code == "insta" else "YOUTUBE") for code in ages if code not in elsewhere),
        *(item(code, code) for code in sorted(elsewhere)),
        item("grown"), item("unread"),
    )  # fmt: skip
    counts: dict[str, int | None] = {"silent": 0, "uncounted": None, "many": 90_000, "some": 2}
    world.insert(
        VIDEOS,
        *(
            {"id": number, "shortcode": code, "published_at": ago(days=days), "comments": counts.get(code, 10)}
            for number, (code, days) in enumerate(ages.items())
        ),
    )
    newer = {"id": 501, "shortcode": "some", "published_at": ago(days=6), "comments": 10, "updated_at": NOW}
    world.insert(VIDEOS, newer)  # of two rows of one video the newer tells how many comments there are

    def stored(code: str, count: int, days: float, kind: str = "COMMENT", platform: str = "YOUTUBE") -> list[Params]:
        row = {"platform": platform, "activity_type": kind, "shortcode": code, "event_timestamp": ago(days=days)}
        return [{**row, "dimensions": json.dumps({"comment_id": str(number)})} for number in range(count)]

    world.insert(
        "_e.post_activity_log_events",
        *stored("complete", 5, 8), *stored("some", 4, 8), *stored("some", 4, 9), *stored("lately", 4, 6),
        *stored("aged", 4, 8), *stored("grown", 9, 1, kind="LIKE"), *stored("older", 9, 1, platform="INSTAGRAM"),
        *stored("many", 500, 8),
    )  # fmt: skip
    assert world.chosen("sync_yt_post_comments") == ["grown", "some", "older"]
    assert world.chosen("sync_yt_post_comments", limit=1) == ["grown"]
    world.client.execute("truncate table _e.post_activity_log_events")
    world.insert("_e.post_activity_log_events", *stored("many", 499, 8))
    assert "many" in world.chosen("sync_yt_post_comments")


def test_videos_are_asked_about_until_one_of_their_rows_has_a_type_the_newest_first(world: World) -> None:
    def video(number: int, code: str | None, kind: str | None, days: float | None = 1, **changed: Any) -> Params:
        created = None if days is None else ago(days=days)
        row = {"id": number, "shortcode": code, "post_type": kind, "created_at": created}
        return {**row, "updated_at": ago(days=1), **changed}

    world.insert(
        VIDEOS,
        video(1, "older", None, 9), video(2, "newer", "", 2), video(3, "undated", None, None),
        video(4, "short", "short"), video(5, "video", "video"), video(6, "typed_later", None),
        video(7, "typed_elsewhere", ""), video(8, "typed_elsewhere", "short"), video(9, "twice", None, 5),
        video(10, "twice", "", 4), video(11, None, None), video(12, "", None),
    )  # fmt: skip
    world.insert(VIDEOS, video(6, "typed_later", "short", updated_at=NOW))
    expected = ["newer", "twice", "older", "undated"]
    assert world.chosen("sync_yt_post_type") == expected
    assert world.chosen("sync_yt_post_type", limit=1) == expected[:1]


def test_an_emptied_type_is_asked_for_again(world: World) -> None:
    row = {"id": 1, "shortcode": "code", "created_at": ago(days=9)}
    world.insert(VIDEOS, {**row, "post_type": "short", "updated_at": ago(days=2)})
    world.insert(VIDEOS, {**row, "post_type": "", "updated_at": ago(days=1)})
    assert world.chosen("sync_yt_post_type") == ["code"]


def test_insights_of_channels_are_renewed_weekly_the_oldest_first(world: World) -> None:
    rows = {"never": None, "fresh": 6, "week": 8, "month": 30, "twice": 30}
    others = (("ytapi", "off", 0), ("ytapi", "unset", None), ("graphapi", "insta", 1), ("ytapi", None, 1))
    world.insert(
        CREDENTIALS,
        *({"id": number, "source": "ytapi", "handle": name, "enabled": 1} for number, name in enumerate(rows)),
        *({"id": 9, "source": source, "handle": name, "enabled": enabled} for source, name, enabled in others),
        {"id": 8, "source": "ytapi", "handle": "month", "enabled": 1},
    )
    world.insert(
        "dbt.stg_beat_youtube_profile_insights",
        *({"id": days, "channel_id": name, "updated_at": ago(days=days)} for name, days in rows.items() if days),
        {"id": 99, "channel_id": "twice", "updated_at": ago(days=1)},
    )
    assert world.chosen("sync_yt_profile_insights") == ["never", "month", "week"]
    assert world.chosen("sync_yt_profile_insights", limit=2) == ["never", "month"]


def test_subscriptions_are_looked_at_once_and_again_after_ninety_days(world: World) -> None:
    bought = ("a_never", "fresh", "stale", "staler", "", "both")
    world.insert("vidooly.youtube_channels_india", *({"id": name} for name in bought))
    today, yesterday = "20260602", "20260601"
    loads = [("both", "IN", today), ("b_loaded", "IN", today), ("abroad", "US", today), ("island", "LK", today),
             ("unplaced", None, today), ("", "IN", today), ("gone", "IN", yesterday)]  # fmt: skip
    world.insert(
        "vidooly.youtube_channels",
        *({"id": name, "country": country, "_path": f"channels_{day}.json"} for name, country, day in loads),
    )
    attempts = {"fresh": 89, "stale": 91, "staler": 200, "abroad": 300}
    world.insert(
        "dbt.mart_youtube_profile_relationship",
        *({"handle": name, "last_activities_attempt": ago(days=days)} for name, days in attempts.items()),
    )
    expected = ["a_never", "b_loaded", "both", "staler", "stale"]
    assert world.chosen("sync_yt_profile_relationship_by_channel_id") == expected
    assert world.chosen("sync_yt_profile_relationship_by_channel_id", limit=4) == expected[:4]


def test_listed_channels_are_refreshed_whether_due_or_not(world: World) -> None:
    world.insert("dbt.critical_youtube_channels", *({"channel_id": name} for name in ("UCb", " UCa ", "", "UCb")))
    assert world.chosen("sync_yt_critical_daily") == ["UCa", "UCb"]
    assert world.chosen("sync_yt_critical_daily", limit=1) == ["UCa"]


def test_every_genre_is_asked_for_in_every_language(world: World) -> None:
    def seed(name: str, column: str) -> list[str]:
        with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
            values = [row[column] for row in csv.DictReader(lines)]
        world.insert(f"dbt.{name}", *({column: value} for value in values))
        return values

    genres, languages = seed("video_genres", "category"), seed("video_genre_languages", "language")
    assert (len(genres), len(languages)) == (46, 12)
    pairs = [(sent["category"], sent["language"]) for sent in world.requests("sync_yt_genre_videos")]
    assert pairs == sorted((genre, "" if code == "any" else code) for genre in genres for code in languages)
    assert len(pairs) == 552

    source = world.sources["sync_yt_genre_videos"]
    world.asked(source, {"category": "Music", "language": "hi"}, ago(hours=1))
    assert set(pairs) - {(sent["category"], sent["language"]) for sent in world.requests("sync_yt_genre_videos")} == {
        ("Music", "hi")
    }
    assert [sent["language"] for sent in world.requests("sync_yt_genre_videos", limit=2)] == ["", "bn"]


# ---- orders


def times(since: datetime) -> list[tuple[str, str]]:
    """Beginnings and ends of the four slices of a period."""
    far, early = datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
    week, month = since - timedelta(days=7), since - timedelta(days=30)
    return [(begin.isoformat(), end.isoformat()) for begin, end in
            ((since, far), (week, since), (month, week), (early, month))]  # fmt: skip


def orders_of(store: str, since: datetime) -> list[Params]:
    common = {"store": store, "limit": 250, "updated_at_min": since.isoformat()}
    return [{**common, "created_at_min": begin, "created_at_max": end} for begin, end in times(since)]


def hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def test_each_connected_shop_gets_four_different_requests_that_the_flow_takes(world: World) -> None:
    rows = (("shopify", "b-shop", 1), ("shopify", "a-shop", 1), ("shopify", "off", 0), ("shopify", None, 1),
            ("shopify", "a-shop", 1), ("ytapi", "tube", 1), ("shopify", "unset", None))  # fmt: skip
    world.insert(
        CREDENTIALS,
        *({"id": number, "source": source, "handle": name, "enabled": enabled}
          for number, (source, name, enabled) in enumerate(rows)),
    )  # fmt: skip
    source = world.sources["sync_shopify_orders"]
    before = hour(datetime.now(UTC) - timedelta(days=30))
    sent = world.requests("sync_shopify_orders")
    since = before if sent[0]["updated_at_min"] == before.isoformat() else before + timedelta(hours=1)
    expected = [*orders_of("a-shop", since), *orders_of("b-shop", since)]
    assert sent == expected
    assert (source.flow, source.platform) == ("refresh_orders_by_store", "SHOPIFY")
    assert [FLOWS[source.flow].misfit(source.flow, params) for params in sent] == [None] * 8
    keys = {source.idempotency_key(entity, NOW) for entity, _ in source.payloads(
        warehouse.rows(source.query(100), what="orders"))}  # fmt: skip
    assert len(keys) == 8

    # A run that broke off goes on with what it has not asked for; three hours later it asks again.
    for params in (*expected[:3], expected[5]):
        world.asked(source, params, ago(hours=2, minutes=50))
    world.asked(source, expected[4], ago(hours=3, minutes=10))
    assert world.requests("sync_shopify_orders") == [expected[3], expected[4], *expected[6:]]
    assert world.requests("sync_shopify_orders", limit=2) == [expected[3], expected[4]]


def test_a_period_begins_an_hour_before_the_last_run_that_was_complete(world: World) -> None:
    names = ("steady", "failed", "partial", "repaired", "long_ago", "unfinished")
    world.insert(
        CREDENTIALS,
        *({"id": number, "source": "shopify", "handle": name, "enabled": 1} for number, name in enumerate(names)),
    )
    flow, first, second = "refresh_orders_by_store", ago(hours=9, minutes=7), ago(hours=5, minutes=7)
    done = ["COMPLETE"] * 4
    runs: list[tuple[str, datetime, list[str]]] = [
        ("steady", first, done), ("steady", second, done),
        ("failed", first, done), ("failed", second, [*done[:3], "FAILED"]),
        ("partial", first, done), ("partial", second, done[:2]),
        ("unfinished", first, done), ("unfinished", second, [*done[:3], "PROCESSING"]),
        ("repaired", first, done), ("repaired", second, [*done[:3], "FAILED"]),
        ("long_ago", ago(days=31), done),
    ]  # fmt: skip
    for store, when, statuses in runs:
        for params, status in zip(orders_of(store, hour(when)), statuses, strict=False):
            world.logged(flow, params, when, status)
    world.logged(flow, orders_of("repaired", hour(second))[3], ago(hours=1), "COMPLETE")
    # Four times the same request, as the reference sent it, are one slice.
    for _ in range(4):
        world.logged(flow, {"store": "partial", "limit": 250, "updated_at_min": "x"}, ago(hours=1), "COMPLETE")
    begins = {sent["store"]: sent["updated_at_min"] for sent in world.requests("sync_shopify_orders")}
    earlier, later = (hour(moment - timedelta(hours=1)).isoformat() for moment in (first, second))
    long_ago = begins.pop("long_ago")
    assert begins == {"steady": later, "failed": earlier, "partial": earlier, "repaired": later, "unfinished": earlier}
    assert long_ago in {hour(moment - timedelta(days=30)).isoformat() for moment in (NOW, datetime.now(UTC))}
