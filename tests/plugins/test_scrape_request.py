"""Which entities a scrape source picks, on real ClickHouse rows made for each rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stir import accepted_requests, warehouse
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
        self.asked_with({"shortcode": code}, hours=hours, flow=flow, status=status, scl=scl)

    def asked_with(
        self, params: dict[str, Any], *, hours: float, flow: str = FLOW, status: str = "PENDING", scl: int | None = None
    ) -> None:
        row = ("e", scl or self.number(), "INSTAGRAM", flow, json.dumps(params), status, NOW - timedelta(hours=hours))
        self.client.execute("insert into _e.scrape_request_log_events values", [row])

    def accepted(self, params: dict[str, Any], *, hours: float, scl: int = 0, flow: str = FLOW) -> None:
        row = ("INSTAGRAM", flow, scl, json.dumps(params), "run", NOW - timedelta(hours=hours))
        self.client.execute("insert into stir.accepted_requests values", [row])

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
    for ddl in accepted_requests.DDL:
        clickhouse.execute(ddl)
    yield World(clickhouse)
    for name in (*names, accepted_requests.ACCEPTED_REQUESTS):
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


def variant(query: Path, sql: str, **options: Any) -> ScrapeSource:
    """A source without order or cool-down of its own, on a candidate query given as text."""
    query.write_text(sql)
    standard = {"platform": "INSTAGRAM", "entity_key": ("code",), "order": "1", "limit": 10, "cool_down": None}
    return ScrapeSource(**{"flow": FLOW, "candidates": query, **standard, **options})


def sent(source: ScrapeSource, limit: int = 10) -> list[tuple[str, dict[str, Any]]]:
    return list(source.payloads(warehouse.rows(source.query(limit), what="test")))


def test_sources_that_share_a_query_choose_by_their_condition(world: World, tmp_path: Path) -> None:
    sql = "select toString(number) as code, number < 2 or null as is_small from numbers(4)"
    hour = timedelta(hours=1)
    small = variant(tmp_path / "shared.sql", sql, condition="is_small", order="code")
    others = variant(tmp_path / "shared.sql", sql, condition="code = '2' or code = '3'", order="code", cool_down=hour)
    assert [entity for entity, _ in sent(small)] == ["0", "1"]
    assert [entity for entity, _ in sent(others)] == ["2", "3"]
    world.asked_with({"code": "2"}, hours=0.5)
    assert [entity for entity, _ in sent(others)] == ["3"]


def test_what_is_unknown_is_left_out_of_the_params(world: World, tmp_path: Path) -> None:
    sql = "select toString(number) as code, if(number = 0, null, number) as size, null as depth from numbers(2)"
    source = variant(tmp_path / "q.sql", sql, payload_columns=("depth",), optional_columns=("size",))
    assert sent(source) == [("0", {"code": "0", "depth": None}), ("1", {"code": "1", "depth": None, "size": 1})]


def test_several_keys_together_name_an_entity(world: World, tmp_path: Path) -> None:
    sql = """
        select pair.1 as category, pair.2 as language
        from (select arrayJoin([('a', toNullable('hi')), ('a', ''), ('b', 'hi'), ('a', 'hi'), ('b', null)]) as pair)
    """
    source = variant(
        tmp_path / "q.sql", sql, entity_key=("data", "category"), further_keys=("language",), order="category",
        cool_down=timedelta(hours=1), failure_rule=FailureRule(failures=1, within=timedelta(days=1)),
    )  # fmt: skip
    expected = [("a", ""), ("a", "hi"), ("b", "hi")]
    assert sent(source) == [(f"{a}|{b}", {"data": {"category": a, "language": b}}) for a, b in expected]
    assert sent(ScrapeSource(**{**source.__dict__, "cool_down": None, "failure_rule": None})) == sent(source)
    world.asked_with({"data": {"category": "a", "language": "hi"}}, hours=0.5)
    assert [entity for entity, _ in sent(source)] == ["a|", "b|hi"]
    params = json.dumps({"data": {"category": "b", "language": "hi"}})
    row = (1, FLOW, "FAILED", params, NOT_FOUND, NOW - timedelta(hours=1))
    world.client.execute("insert into dbt.stg_beat_scrape_request_log values", [row])
    assert [entity for entity, _ in sent(source)] == ["a|"]
    assert [entity for entity, _ in sent(source, limit=1)] == ["a|"]


GROUPED = """
    select row.1 as code, row.2 as owner, row.3 as age, owner || '!' as name, if(owner = 'y', null, 5) as followers
    from (
        select arrayJoin([
            ('c1', 'x', 3), ('c2', 'y', 1), ('c3', 'x', 2), ('c4', 'z', 4), ('c5', 'x', 9), ('c6', 'y', 5)
        ])
            as row
    )
"""


def test_rows_of_one_owner_go_in_one_request_and_the_limit_counts_owners(world: World, tmp_path: Path) -> None:
    source = variant(
        tmp_path / "q.sql", GROUPED, order="age", payload_columns=("name",), optional_columns=("followers",),
        fixed_params={"deep": {"er": True}}, batching=Batching(param="codes", size=2, by=("owner",)),
        cool_down=timedelta(hours=1),
    )  # fmt: skip
    deep = {"deep": {"er": True}}
    by_x = {"owner": "x", "name": "x!", "followers": 5, **deep}
    groups = [
        ("c2,c6", {"owner": "y", "name": "y!", "codes": ["c2", "c6"], **deep}),
        ("c3,c1", {**by_x, "codes": ["c3", "c1"]}),
        ("c5", {**by_x, "codes": ["c5"]}),
        ("c4", {**by_x, "owner": "z", "name": "z!", "codes": ["c4"]}),
    ]
    assert sent(source) == groups
    assert sent(source, limit=2) == groups[:3]
    world.asked_with({"owner": "x", "codes": ["c3", "c5"]}, hours=0.5)
    assert sent(source) == [groups[0], ("c1", {**by_x, "codes": ["c1"]}), groups[3]]


def test_params_of_one_request_are_not_those_of_the_next(tmp_path: Path) -> None:
    nested = variant(tmp_path / "q.sql", "select 1", entity_key=("data", "code"), fixed_params={"data": {"deep": []}})
    first, second = (params for _, params in nested.payloads([{"code": "a"}, {"code": "b"}]))
    first["data"]["deep"].append(1)
    assert (first["data"]["code"], second["data"]) == ("a", {"code": "b", "deep": []})


def test_a_failed_request_excludes_for_a_shorter_time(world: World, tmp_path: Path) -> None:
    codes = ("failed", "failed_lately", "open", "repaired", "twice", "old")
    source = variant(
        tmp_path / "q.sql", f"select arrayJoin({list(codes)}) as code", cool_down=timedelta(hours=12),
        retry_failed_after=timedelta(hours=2), order="code",
    )  # fmt: skip
    for code, hours, *states in (
        ("failed", 3, "PENDING", "FAILED"),
        ("failed_lately", 1, "PENDING", "FAILED"),
        ("open", 3, "PENDING", "PROCESSING"),
        ("repaired", 3, "FAILED", "COMPLETE"),
        ("twice", 4, "FAILED"),
        ("twice", 3, "COMPLETE"),
        ("old", 13, "COMPLETE"),
    ):
        number = world.number()
        for status in states:
            world.asked_with({"code": code}, hours=hours, status=status, scl=number)
    assert [entity for entity, _ in sent(source)] == ["failed", "old"]


def test_requests_of_flows_that_do_the_same_work_count(world: World, tmp_path: Path) -> None:
    source = variant(
        tmp_path / "q.sql", "select arrayJoin(['a', 'b', 'c']) as code", cool_down=timedelta(hours=1),
        counted_flows=("larger_flow",), order="code",
    )  # fmt: skip
    world.asked_with({"code": "a"}, hours=0.5, flow="larger_flow")
    world.asked_with({"code": "b"}, hours=0.5, flow="other_flow")
    row = ("e", world.number(), "YOUTUBE", FLOW, '{"code": "c"}', "PENDING", NOW)
    world.client.execute("insert into _e.scrape_request_log_events values", [row])
    assert [entity for entity, _ in sent(source)] == ["b", "c"]


def test_what_was_accepted_counts_like_its_event_and_once_with_it(world: World, tmp_path: Path) -> None:
    options: dict[str, Any] = {"cool_down": timedelta(hours=12), "order": "code", "counted_flows": ("larger_flow",)}
    codes = ("accepted", "long_ago", "other_flow", "same_work", "by_number", "once", "twice", "unnumbered")
    source = variant(tmp_path / "q.sql", f"select arrayJoin({list(codes)}) as code", **options)
    world.accepted({"code": "accepted"}, hours=11, scl=1)
    world.accepted({"code": "long_ago"}, hours=13, scl=2)
    world.accepted({"code": "other_flow"}, hours=1, scl=3, flow="other_flow")
    world.accepted({"code": "same_work"}, hours=1, scl=4, flow="larger_flow")
    world.accepted({"code": "once"}, hours=1, scl=6)
    world.asked_with({"code": "once"}, hours=1, scl=6)
    world.accepted({"code": "twice"}, hours=1, scl=7)
    world.asked_with({"code": "twice"}, hours=2, scl=8)
    for hours in (1, 2):
        world.accepted({"code": "unnumbered"}, hours=hours)
    assert [entity for entity, _ in sent(source)] == ["by_number", "long_ago", "other_flow"]
    twice = variant(tmp_path / "q.sql", source.candidate_sql(), **options, attempts_in_cool_down=2)
    assert [entity for entity, _ in sent(twice)] == sorted(set(codes) - {"twice", "unnumbered"})


def test_a_request_that_failed_after_it_was_accepted_excludes_for_the_shorter_time(
    world: World, tmp_path: Path
) -> None:
    source = variant(
        tmp_path / "q.sql", "select arrayJoin(['failed', 'open']) as code", cool_down=timedelta(hours=12),
        retry_failed_after=timedelta(hours=2), order="code",
    )  # fmt: skip
    for number, code in enumerate(("failed", "open"), start=1):
        world.accepted({"code": code}, hours=3.1, scl=number)
    world.asked_with({"code": "failed"}, hours=3, scl=1, status="FAILED")
    assert [entity for entity, _ in sent(source)] == ["failed"]


def test_every_entity_of_an_accepted_batch_is_left_out(world: World, tmp_path: Path) -> None:
    source = variant(
        tmp_path / "q.sql", "select arrayJoin(['a', 'b', 'c']) as code", cool_down=timedelta(hours=1), order="code",
        batching=Batching(param="codes", size=10),
    )  # fmt: skip
    world.accepted({"codes": ["a", "c"]}, hours=0.5, scl=1)
    assert [entity for entity, _ in sent(source)] == ["b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"payload_columns": ("a, (select 1)",)}, "is not a lower-case identifier"),
        ({"counted_flows": ("x'",)}, "is not a lower-case identifier"),
        ({"lists": ("tracked_hashtags",)}, "is not of the form database.table"),
        ({"limit": 0}, "limit must be at least 1, not 0"),
        ({"attempts_in_cool_down": 0}, "attempts_in_cool_down must be at least 1, not 0"),
        ({"retry_failed_after": timedelta(hours=1)}, "must be shorter than the cool-down"),
        ({"cool_down": timedelta(hours=1), "retry_failed_after": timedelta(hours=1)}, "must be shorter than the cool"),
        ({"batching": Batching(param="codes", size=0)}, "a batch must hold at least 1, not 0"),
        ({"batching": Batching(param="codes", size=2), "payload_columns": ("name",)}, "a batch has no place"),
        ({"batching": Batching(param="codes", size=2), "optional_columns": ("name",)}, "a batch has no place"),
        ({"batching": Batching(param="codes", size=2, by=("a",)), "further_keys": ("b",)}, "a batch has no place"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        variant(tmp_path / "q.sql", "select 1", **options)
