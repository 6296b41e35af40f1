"""Which pictures the asset DAGs have copied: each query on real ClickHouse, one row for each reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from candidate_tables import CandidateTables
from clickhouse_driver import Client
from stir import warehouse
from stir.scrape_request import ScrapeSource

from devstack.beat.assets import asset_hash
from devstack.services import ClickHouseService

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)
POSTS, PROFILES, RELATIONS, COPIES, REQUESTS = (
    "_e.post_log_events",
    "_e.profile_log_events",
    "dbt.stg_beat_profile_relationship_log",
    "dbt.stg_beat_asset_log",
    "_e.scrape_request_log_events",
)
Row = dict[str, Any]


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def picture(entity: str, signature: str = "1") -> str:
    return f"https://scontent-bom1-1.cdninstagram.example/v/t51/{entity}_n.jpg?oh={signature}&oe=65%26A"


def post(code: str, **changed: Any) -> Row:
    dimensions = changed.pop("dimensions", {"thumbnail_src": picture(code), "post_type": "reels"})
    row = {"platform": "INSTAGRAM", "shortcode": code, "event_timestamp": ago(hours=11), "event_id": "1", **changed}
    return {**row, "dimensions": json.dumps(dimensions)}


def story(code: str, **changed: Any) -> Row:
    return post(code, **{"dimensions": {"thumbnail_src": picture(code), "post_type": "story"}, **changed})


def profile(number: str, **changed: Any) -> Row:
    dimensions = changed.pop("dimensions", {"profile_pic_url": picture(number)})
    row = {"platform": "INSTAGRAM", "profile_id": number, "event_timestamp": ago(hours=11), "event_id": "1", **changed}
    return {**row, "dimensions": json.dumps(dimensions)}


def follower(number: str, **changed: Any) -> Row:
    seen = json.dumps({"profile_pic_url": picture(number)})
    row = {"id": int(number), "platform": "INSTAGRAM", "source_profile_id": number, "target_profile_id": "1"}
    row |= {"source_dimensions": seen, "target_dimensions": "{}", "timestamp": ago(hours=23)}
    return row | changed


def copied(entity: str, **changed: Any) -> Row:
    row = {"id": int(entity), "entity_id": entity, "entity_type": "POST", "original_url": picture(entity, "old")}
    return {**row, "updated_at": ago(days=1), **changed}


@dataclass(frozen=True)
class Case:
    """One DAG: the row behind its candidate, and what puts a candidate of that name out of the running.

    `changes` are other values in that row (a function of the candidate's name). `besides` are further rows.
    """

    table: str
    row: Callable[..., Row]
    entity_type: str
    time: str
    counted_flows: tuple[str, ...]
    left_out: Mapping[str, Row | Callable[[str], Row]] = field(default_factory=dict)
    still_chosen: Mapping[str, Row | Callable[[str], Row]] = field(default_factory=dict)
    copy_leaves_out: Row = field(default_factory=dict)
    copy_does_not: tuple[Row, ...] = ()


ROW_OF_POST: dict[str, Row] = {
    "on YouTube": {"platform": "YOUTUBE"},
    "read too long ago": {"event_timestamp": ago(hours=12, minutes=1)},
    "no code": {"shortcode": ""},
}
BOTH_FLOWS = ("asset_upload_flow", "asset_upload_flow_stories")

CASES = {
    "upload_post_asset": Case(
        POSTS, post, "POST", "event_timestamp", BOTH_FLOWS,
        left_out={
            **ROW_OF_POST,
            "no thumbnail": {"dimensions": {"post_type": "reels", "thumbnail_src": None}},
            "empty thumbnail": {"dimensions": {"post_type": "reels", "thumbnail_src": ""}},
            "story": lambda name: {"dimensions": {"post_type": "story", "thumbnail_src": picture(name)}},
        },
        still_chosen={"unknown type": lambda name: {"dimensions": {"thumbnail_src": picture(name)}}},
        copy_leaves_out={"entity_type": "POST"},
        copy_does_not=({"entity_type": "PROFILE"},),
    ),
    "upload_post_asset_stories": Case(
        POSTS, story, "POST", "event_timestamp", BOTH_FLOWS,
        left_out={
            **ROW_OF_POST,
            "no thumbnail": {"dimensions": {"post_type": "story"}},
            "reel": lambda name: {"dimensions": {"post_type": "reels", "thumbnail_src": picture(name)}},
            "unknown type": lambda name: {"dimensions": {"thumbnail_src": picture(name)}},
        },
        copy_leaves_out={"entity_type": None},
        copy_does_not=({"entity_type": "PROFILE"},),
    ),
    "upload_insta_profile_asset": Case(
        PROFILES, profile, "PROFILE", "event_timestamp", BOTH_FLOWS[:1],
        left_out={
            "on YouTube": {"platform": "YOUTUBE"},
            "read too long ago": {"event_timestamp": ago(hours=12, minutes=1)},
            "no id": {"profile_id": ""},
            "no picture": {"dimensions": {"profile_pic_url": None}},
            "empty picture": {"dimensions": {"profile_pic_url": ""}},
        },
        copy_leaves_out={"entity_type": "PROFILE"},
        copy_does_not=(
            {"entity_type": "POST"},
            {"entity_type": "PROFILE", "original_url": picture("another")},
            {"entity_type": "PROFILE", "original_url": None},
        ),
    ),
    "upload_profile_relationship_asset": Case(
        RELATIONS, follower, "PROFILE", "timestamp", BOTH_FLOWS[:1],
        left_out={
            "on YouTube": {"platform": "YOUTUBE"},
            "seen too long ago": {"timestamp": ago(hours=24, minutes=1)},
            "no id": {"source_profile_id": ""},
            "unknown id": {"source_profile_id": None},
            "no picture": {"source_dimensions": "{}"},
            "no dimensions": {"source_dimensions": None, "target_dimensions": None},
        },
        still_chosen={
            "picture of the target": lambda name: {
                "source_profile_id": "1", "source_dimensions": "{}",
                "target_profile_id": name, "target_dimensions": json.dumps({"profile_pic_url": picture(name)}),
            },
            "pictures of both, the target's counts": lambda name: {
                "source_profile_id": "1", "source_dimensions": json.dumps({"profile_pic_url": picture("1")}),
                "target_profile_id": name, "target_dimensions": json.dumps({"profile_pic_url": picture(name)}),
            },
        },
        copy_leaves_out={"entity_type": "PROFILE", "original_url": picture("another")},
        copy_does_not=({"entity_type": "POST"},),
    ),
}  # fmt: skip


class World(CandidateTables):
    """The tables, and what was asked for earlier."""

    def __init__(self, client: Client, sources: Mapping[str, ScrapeSource]) -> None:
        super().__init__(client)
        self.sources = sources

    def asked(self, flow: str, params: Row, when: datetime) -> None:
        row = {"scl_id": 1, "platform": "INSTAGRAM", "flow": flow, "status": "COMPLETE", "params": json.dumps(params)}
        self.insert(REQUESTS, {**row, "event_timestamp": when})

    def requests(self, name: str, limit: int | None = None) -> list[Row]:
        """Params of the requests that a run would send."""
        source = self.sources[name]
        rows = warehouse.rows(source.query(limit or source.limit), what=name)
        return [params for _, params in source.payloads(rows)]

    def chosen(self, name: str, limit: int | None = None) -> list[str]:
        """Entities that a run would ask about, in order."""
        return [params["entity_id"] for params in self.requests(name, limit)]


@pytest.fixture(scope="module")
def sources(dag_bag: Any) -> dict[str, ScrapeSource]:
    return {
        dag_id: dag.tasks[0].op_kwargs["source"]
        for dag_id, dag in dag_bag.dags.items()
        if Path(dag.fileloc).name == "assets.py"
    }


@pytest.fixture(scope="module")
def tables(clickhouse_service: ClickHouseService, sources: dict[str, ScrapeSource]) -> Iterator[World]:
    at = clickhouse_service.endpoint
    client = Client(at.host, port=at.native_port, user=at.user, password=at.password)
    connection = {"conn_type": "generic", "host": at.host, "port": at.native_port, "login": at.user}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_GCC", json.dumps({**connection, "password": at.password}))
        world = World(client, sources)
        world.create_for(source.query(1) for source in sources.values())
        yield world
        world.drop()
    client.disconnect()


@pytest.fixture
def world(tables: World) -> Iterator[World]:
    yield tables
    tables.empty()


def expected(case: Case, entity: str, url: str) -> Row:
    kind = {"entity_type": case.entity_type, "asset_type": "IMAGE", "platform": "INSTAGRAM"}
    return {**kind, "entity_id": entity, "original_url": url, "hash": asset_hash(url)}


def test_every_asset_dag_has_its_case(sources: dict[str, ScrapeSource]) -> None:
    assert set(sources) == set(CASES)
    assert {name: (source.flow, source.limit) for name, source in sources.items()} == {
        "upload_post_asset": ("asset_upload_flow", 25000),
        "upload_post_asset_stories": ("asset_upload_flow_stories", 25000),
        "upload_insta_profile_asset": ("asset_upload_flow", 10000),
        "upload_profile_relationship_asset": ("asset_upload_flow", 1000),
    }


@pytest.mark.parametrize("name", CASES)
def test_the_request_and_its_cool_down(world: World, name: str) -> None:
    case = CASES[name]
    world.insert(case.table, case.row("100"))
    request = expected(case, "100", picture("100"))
    assert world.requests(name) == [request]
    other = "POST" if case.entity_type == "PROFILE" else "PROFILE"
    world.asked(
        "asset_upload_flow", {**request, "entity_type": other}, ago(minutes=5)
    )  # another thing, the same digits
    world.asked("refresh_profile_by_handle", request, ago(minutes=5))
    world.asked("asset_upload_flow", request, ago(hours=24, minutes=1))
    assert world.chosen(name) == ["100"]
    for flow in case.counted_flows:
        world.client.execute(f"truncate table {REQUESTS}")
        world.asked(flow, {**request, "original_url": picture("100", "2"), "hash": 5}, ago(hours=23))
        assert world.chosen(name) == [], flow


@pytest.mark.parametrize("name", CASES)
def test_each_reason_to_be_left_out_and_what_is_none(world: World, name: str) -> None:
    case = CASES[name]
    labels = {"100": "unchanged"}
    world.insert(case.table, case.row("100"))
    for number, (label, changes) in enumerate({**case.left_out, **case.still_chosen}.items(), 101):
        labels[str(number)] = label
        world.insert(case.table, case.row(str(number), **(changes(str(number)) if callable(changes) else changes)))
    assert {labels[entity] for entity in world.chosen(name)} == {"unchanged", *case.still_chosen}


@pytest.mark.parametrize("name", CASES)
def test_whoever_has_a_copy_is_left_out(world: World, name: str) -> None:
    case = CASES[name]
    world.insert(case.table, case.row("100"), case.row("200"))
    world.insert(COPIES, copied("100", **case.copy_leaves_out), {**copied("300"), "entity_id": None})
    assert world.chosen(name) == ["200"]
    for other in case.copy_does_not:
        world.client.execute(f"truncate table {COPIES}")
        world.insert(COPIES, copied("100", **other))
        assert sorted(world.chosen(name)) == ["100", "200"], other


@pytest.mark.parametrize("name", CASES)
def test_the_longest_waiting_come_first(world: World, name: str) -> None:
    case = CASES[name]
    for entity, hours in (("100", 2), ("200", 9), ("300", 5), ("400", 5)):
        world.insert(case.table, case.row(entity, **{case.time: ago(hours=hours)}))
    earlier = {"id": 1} if "id" in case.row("100") else {}  # the newest reading is the one whose address is sent
    world.insert(case.table, case.row("100", **{case.time: ago(hours=11)}, **earlier))
    assert world.chosen(name) == ["200", "300", "400", "100"]
    assert world.chosen(name, limit=2) == ["200", "300"]


@pytest.mark.parametrize("name", CASES)
def test_the_newest_address_counts(world: World, name: str) -> None:
    case = CASES[name]
    changes: dict[str, Row] = {}
    for signature, hours in (("newest", 1), ("older", 3)):
        row = case.row("100", **{case.time: ago(hours=hours)})
        changes[signature] = {
            key: value.replace("oh=1", f"oh={signature}") if isinstance(value, str) else value
            for key, value in row.items()
        }
        if "id" in row:
            changes[signature]["id"] = 100 + hours
    world.insert(case.table, *changes.values())
    assert world.requests(name) == [expected(case, "100", picture("100", "newest"))]


def test_a_post_without_a_thumbnail_in_its_newest_reading_has_that_of_the_one_before(world: World) -> None:
    world.insert(POSTS, post("100"), post("100", event_timestamp=ago(hours=1), dimensions={"post_type": "reels"}))
    assert world.requests("upload_post_asset") == [expected(CASES["upload_post_asset"], "100", picture("100"))]


def test_a_post_that_one_reading_calls_a_story_is_one(world: World) -> None:
    untold = {"thumbnail_src": picture("100")}
    world.insert(POSTS, story("100", event_timestamp=ago(hours=3)), post("100", dimensions=untold))
    assert world.chosen("upload_post_asset") == []
    assert world.chosen("upload_post_asset_stories") == ["100"]


def test_a_picture_that_was_changed_back_is_copied_again(world: World) -> None:
    """The asset log keeps a row per profile; older versions of the row may still lie beside it."""
    name = "upload_insta_profile_asset"
    world.insert(PROFILES, profile("100"))
    mine = {"entity_type": "PROFILE"}
    world.insert(COPIES, copied("100", **mine, original_url=picture("100", "old")))
    world.insert(COPIES, {**copied("100", **mine, original_url=picture("another")), "updated_at": ago(hours=1)})
    assert world.chosen(name) == ["100"]
