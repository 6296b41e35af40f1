"""Which entities a scrape source picks, on real ClickHouse rows made for each rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stir import warehouse
from stir.scrape_request import Batching, FailureRule, ScrapeSource

CANDIDATES = Path(__file__).parents[2] / "dags" / "candidates" / "sync_insta_collection_posts.sql"
NOW = datetime.now(UTC).replace(microsecond=0)
FLOW = "refresh_post_by_shortcode"

SOURCE = ScrapeSource(
    flow=FLOW,
    platform="INSTAGRAM",
    entity_key=("shortcode",),
    candidates=CANDIDATES,
    order="publish_time asc nulls first",
    limit=250,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=2, within=timedelta(days=30)),
)

TABLES = (
    """create table dbt.stg_coffee_post_collection_item (id Int64, platform Nullable(String), short_code
    Nullable(String), post_type Nullable(String), post_collection_id Nullable(String), created_at
    Nullable(DateTime64(6)))
    engine = MergeTree order by id""",
    """create table dbt.stg_beat_instagram_post (id Int64, shortcode Nullable(String), publish_time
    Nullable(DateTime64(6)))
    engine = ReplacingMergeTree order by id""",
    """create table dbt.stg_beat_scrape_request_log (id Int64, flow Nullable(String), status Nullable(String),
    params Nullable(String), data Nullable(String), created_at Nullable(DateTime64(6))) engine = ReplacingMergeTree
    order by id""",
    """create table _e.scrape_request_log_events (event_id String, scl_id UInt64, platform String, flow String, params
    String,
    status String, event_timestamp DateTime) engine = MergeTree order by event_timestamp""",
)


class World:
    """Tables as the DAG finds them, filled row by row."""

    def __init__(self, client: Any) -> None:
        self.client, self.next_id = client, 0

    def number(self) -> int:
        self.next_id += 1
        return self.next_id

    def item(self, code: str | None, *, platform: str = "INSTAGRAM", kind: str = "reels", days: float = 1) -> None:
        row = (self.number(), platform, code, kind, "collection", NOW - timedelta(days=days))
        self.client.execute("insert into dbt.stg_coffee_post_collection_item values", [row])

    def post(self, code: str, days: float | None) -> None:
        published = None if days is None else NOW - timedelta(days=days)
        self.client.execute("insert into dbt.stg_beat_instagram_post values", [(self.number(), code, published)])

    def asked(
        self, code: str, *, hours: float, flow: str = FLOW, status: str = "PENDING", scl: int | None = None
    ) -> None:
        params = json.dumps({"shortcode": code})
        row = ("e", scl or self.number(), "INSTAGRAM", flow, params, status, NOW - timedelta(hours=hours))
        self.client.execute("insert into _e.scrape_request_log_events values", [row])

    def outcome(
        self, code: str, status: str, data: str | None, *, days: float = 2, flow: str = FLOW, request: int | None = None
    ) -> None:
        params = json.dumps({"shortcode": code})
        row = (request or self.number(), flow, status, params, data, NOW - timedelta(days=days))
        self.client.execute("insert into dbt.stg_beat_scrape_request_log values", [row])

    def chosen(self, source: ScrapeSource = SOURCE, limit: int = 250) -> list[str]:
        return [row["shortcode"] for row in warehouse.rows(source.query(limit), what="test")]


@pytest.fixture
def world(clickhouse: Any) -> Iterator[World]:
    for database in ("dbt", "_e"):
        clickhouse.execute(f"create database if not exists {database}")
    names = [ddl.split()[2] for ddl in TABLES]
    for name, ddl in zip(names, TABLES, strict=True):
        clickhouse.execute(f"drop table if exists {name}")
        clickhouse.execute(ddl)
    yield World(clickhouse)
    for name in names:
        clickhouse.execute(f"drop table {name}")


NOT_FOUND = "(404, 'Something went wrong')"
pytestmark = pytest.mark.integration


def test_one_for_each_reason_to_be_left_out_and_one_that_is_chosen(world: World) -> None:
    world.item("chosen", kind="carousel")
    world.post("chosen", days=3)

    world.item("youtube", platform="YOUTUBE")
    world.item("story", kind="story")
    world.item("1234567890123456789")
    world.item("")
    world.item(None)
    world.item("added_long_ago", days=70)
    world.item("published_long_ago")
    world.post("published_long_ago", days=15)
    world.item("asked_lately")
    world.asked("asked_lately", hours=11)
    world.item("asked_and_failed_lately")
    world.asked("asked_and_failed_lately", hours=11, status="FAILED")
    world.item("given_up")
    world.outcome("given_up", "FAILED", NOT_FOUND)
    world.outcome("given_up", "FAILED", "(403, 'Forbidden exception')", days=20)
    world.item("given_up_without_text")
    world.outcome("given_up_without_text", "FAILED", None)
    world.outcome("given_up_without_text", "FAILED", None)

    assert world.chosen() == ["chosen"]


def test_what_looks_like_a_reason_but_is_none(world: World) -> None:
    world.item("never_scraped")
    world.item("scraped_without_time")
    world.post("scraped_without_time", days=None)
    world.item("published_twice")  # an old and a young copy of the same post: the newest time counts
    world.post("published_twice", days=40)
    world.post("published_twice", days=2)
    world.item("asked_long_ago")
    world.asked("asked_long_ago", hours=13)
    world.item("other_flow_lately")
    world.asked("other_flow_lately", hours=1, flow="fetch_post_comments")
    world.item("failed_once")
    world.outcome("failed_once", "FAILED", NOT_FOUND)
    world.item("failed_long_ago")
    world.outcome("failed_long_ago", "FAILED", NOT_FOUND, days=31)
    world.outcome("failed_long_ago", "FAILED", NOT_FOUND, days=40)
    world.item("throttled")
    for text in ("(429, 'throttled')", "(409, 'conflict')", "(204, 'none')", "'NoneType' object is not subscriptable"):
        world.outcome("throttled", "FAILED", text)
    world.item("succeeded_in_between")
    world.outcome("succeeded_in_between", "FAILED", NOT_FOUND)
    world.outcome("succeeded_in_between", "COMPLETE", "None", days=10)
    world.outcome("succeeded_in_between", "FAILED", NOT_FOUND, days=12)
    world.item("failed_for_another_flow")
    world.outcome("failed_for_another_flow", "FAILED", NOT_FOUND, flow="fetch_post_comments")
    world.outcome("failed_for_another_flow", "FAILED", NOT_FOUND, flow="fetch_post_comments")
    world.item("one_failure_seen_twice")  # the staging model may hold two versions of one request until they merge
    world.outcome("one_failure_seen_twice", "FAILED", NOT_FOUND, request=5000)
    world.outcome("one_failure_seen_twice", "FAILED", NOT_FOUND, request=5000)

    assert sorted(world.chosen()) == sorted(
        [
            "never_scraped",
            "scraped_without_time",
            "published_twice",
            "asked_long_ago",
            "other_flow_lately",
            "failed_once",
            "failed_long_ago",
            "throttled",
            "succeeded_in_between",
            "failed_for_another_flow",
            "one_failure_seen_twice",
        ]
    )


def test_an_item_of_several_collections_is_asked_for_once(world: World) -> None:
    world.item("shared")
    world.item("shared", days=5)
    world.item("shared", kind="image")
    assert world.chosen() == ["shared"]


def test_unknown_publish_times_come_first_then_the_oldest_and_the_limit_cuts_the_rest(world: World) -> None:
    for code, days in (("young", 1), ("old", 13), ("middle", 6)):
        world.item(code)
        world.post(code, days=days)
    world.item("unknown_b")
    world.item("unknown_a")
    assert world.chosen() == ["unknown_a", "unknown_b", "old", "middle", "young"]
    assert world.chosen(limit=3) == ["unknown_a", "unknown_b", "old"]


def test_a_missing_table_says_what_to_run(world: World, clickhouse: Any) -> None:
    clickhouse.execute("rename table dbt.stg_beat_instagram_post to dbt.moved_away")
    try:
        with pytest.raises(warehouse.WarehouseError, match=r"code 60.*stg_beat_instagram_post.*Run the dbt tier"):
            world.chosen()
    finally:
        clickhouse.execute("rename table dbt.moved_away to dbt.stg_beat_instagram_post")


def test_the_backlog_counts_requests_that_beat_has_not_finished(world: World) -> None:
    world.asked("a", hours=0.5, scl=900)
    world.asked("b", hours=0.5, scl=901)
    world.asked("b", hours=0.4, scl=901, status="COMPLETE")
    world.asked("c", hours=0.2, scl=902, status="PROCESSING")
    world.asked("d", hours=3, scl=903)
    assert warehouse.rows(SOURCE.backlog_sql(), what="backlog") == [{"waiting": 2}]


def test_batches_are_excluded_by_every_entity_they_held(clickhouse: Any, world: World, tmp_path: Path) -> None:
    (tmp_path / "channels.sql").write_text("select arrayJoin(['UCa', 'UCb', 'UCc', 'UCd', 'UCe']) as channel_id")
    source = ScrapeSource(
        flow="refresh_yt_profiles",
        platform="YOUTUBE",
        entity_key=("channel_id",),
        candidates=tmp_path / "channels.sql",
        order="channel_id",
        limit=10,
        cool_down=timedelta(hours=12),
        batching=Batching(param="channel_ids", size=2),
    )
    event = (
        "e",
        1,
        "YOUTUBE",
        "refresh_yt_profiles",
        '{"channel_ids": ["UCa", "UCb"]}',
        "PENDING",
        NOW - timedelta(hours=1),
    )
    clickhouse.execute("insert into _e.scrape_request_log_events values", [event])
    rows = warehouse.rows(source.query(10), what="test")
    assert list(source.payloads(rows)) == [
        ("UCc,UCd", {"channel_ids": ["UCc", "UCd"]}),
        ("UCe", {"channel_ids": ["UCe"]}),
    ]


def test_nested_entities_are_found_where_the_payload_puts_them(clickhouse: Any, world: World, tmp_path: Path) -> None:
    (tmp_path / "profiles.sql").write_text(
        "select p.1 as handle, p.2 as name from (select arrayJoin([('ann', 'Ann O''Hara'), ('bob', 'Bob')]) as p)"
    )
    source = ScrapeSource(
        flow="instagram_gpt_data_base_gender",
        platform="INSTAGRAM",
        entity_key=("data", "handle"),
        payload_columns=("name",),
        candidates=tmp_path / "profiles.sql",
        order="handle",
        limit=10,
        cool_down=timedelta(days=1),
    )
    assert list(source.payloads([{"handle": "ann", "name": "Ann"}])) == [
        ("ann", {"data": {"handle": "ann", "name": "Ann"}})
    ]
    event = ("e", 1, "INSTAGRAM", source.flow, '{"data": {"handle": "bob", "name": "Bob"}}', "PENDING", NOW)
    clickhouse.execute("insert into _e.scrape_request_log_events values", [event])
    assert warehouse.rows(source.query(10), what="test") == [{"handle": "ann", "name": "Ann O'Hara"}]


def test_a_candidate_query_that_repeats_an_entity_does_not_repeat_the_request(world: World, tmp_path: Path) -> None:
    (tmp_path / "repeated.sql").write_text("select arrayJoin(['b', 'a', 'b', 'a']) as shortcode")
    repeated = ScrapeSource(**{**SOURCE.__dict__, "candidates": tmp_path / "repeated.sql", "order": "shortcode"})
    assert world.chosen(repeated) == ["a", "b"]
