"""Every row of the collection series, gap filling and summary on the small world against a second computation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.gcc_social.collections_recomputed import Recomputed, daily_clicks, recomputed
from tests.gcc_social.conftest import RUN_TIME, Warehouse

pytestmark = pytest.mark.integration

MODELS = (
    "mart_collection_post",
    "mart_collection_social_ts",
    "mart_collection_clicks_ts",
    "mart_staging_collection_post",
)
BUILD = ("build", "--select", *(f"+{model}" for model in MODELS), "--exclude-resource-type", "unit_test")


@dataclass
class Environment:
    """What dbt built for one environment, and what it should have."""

    prefix: str
    expected: Recomputed
    series: dict[tuple, dict[str, Any]]
    fake_events: dict[tuple, dict[str, Any]]
    summary: dict[tuple, dict[str, Any]]


@pytest.fixture(scope="module")
def collections_world(small_world: Warehouse) -> Warehouse:
    """The small world with both environments' collections built on it."""
    small_world.dbt(*BUILD)
    return small_world


@pytest.fixture(scope="module", params=["", "staging_"], ids=["production", "staging"])
def environment(request: pytest.FixtureRequest, collections_world: Warehouse) -> Environment:
    prefix = request.param

    def built(model: str, *key: str) -> dict[tuple, dict[str, Any]]:
        found = list(collections_world.client.query(f"select * from dbt.mart_{prefix}{model}").named_results())
        rows = {tuple(row[name] for name in key): row for row in found}
        assert len(rows) == len(found), f"{model} has a key twice"
        return rows

    item = ("collection_type", "collection_id", "platform", "post_short_code", "post_collection_item_id")
    return Environment(
        prefix,
        recomputed(collections_world.client, RUN_TIME, staging=bool(prefix)),
        built("collection_post_ts", *item, "stats_date"),
        built("fake_events", "platform", "post_short_code", "stats_date"),
        built("collection_post", "collection_type", "platform", "collection_id", "post_short_code"),
    )


def same(value: Any, expected: Any) -> bool:
    if isinstance(value, datetime) and isinstance(expected, datetime):
        return value.replace(tzinfo=UTC) == expected.replace(tzinfo=UTC)
    if isinstance(value, float) and expected is not None:
        return math.isclose(value, expected, rel_tol=1e-9)
    return value == expected


def compare(rows: dict[tuple, dict], expected: dict[tuple, dict]) -> None:
    assert rows.keys() == expected.keys()
    wrong = [
        f"{key} {column}: {value!r}, expected {expected[key][column]!r}"
        for key, row in rows.items()
        for column, value in row.items()
        if not same(value, expected[key][column])
    ]
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_every_row_of_the_series_equals_the_second_computation(environment: Environment) -> None:
    compare(environment.series, environment.expected.series)


def test_every_fake_event_equals_the_second_computation(environment: Environment) -> None:
    compare(environment.fake_events, environment.expected.fake_events)


def test_every_row_of_the_summary_equals_the_second_computation(environment: Environment) -> None:
    compare(environment.summary, environment.expected.summary)


def test_a_series_has_no_missing_day(environment: Environment) -> None:
    days: dict[tuple, list[date]] = {}
    for (*item, day), _ in sorted(environment.series.items()):
        days.setdefault(tuple(item), []).append(day)
    for item, found in days.items():
        assert len(found) == (found[-1] - found[0]) // timedelta(days=1) + 1, item


def test_the_parts_are_the_whole(collections_world: Warehouse, environment: Environment) -> None:
    """Four series, joined in pairs, joined again."""

    def count(scope: str, feed: str) -> int:
        model = f"mart_{environment.prefix}{scope}_collection_{feed}post_ts"
        return collections_world.rows(f"select count() from dbt.{model}")[0][0]

    counts = {scope: {feed: count(scope, feed) for feed in ("ia_", "yt_", "")} for scope in ("post", "profile")}
    for scope in counts.values():
        assert scope["ia_"] + scope["yt_"] == scope[""]
    assert counts["post"][""] + counts["profile"][""] == len(environment.series)


def test_the_world_exercises_what_series_must_handle(environment: Environment) -> None:
    """A tame world would make the comparison worthless."""
    series, summary = list(environment.series.values()), list(environment.summary.values())
    scopes = {(row["collection_type"], row["platform"]) for row in series}
    assert {("POST", "INSTAGRAM"), ("PROFILE", "INSTAGRAM"), ("POST", "YOUTUBE")} <= scopes, scopes
    assert environment.fake_events, "no gap"
    assert {row["post_type"] for row in summary} >= {"reels", "image", "carousel", "story", "video"}
    assert any(row["real_reach"] for row in series), "no insight"
    assert any(row["likes"] is None for row in series), "every like is known"
    assert any(row["reach"] is None for row in summary) and any(row["profile_social_id"] is None for row in summary)
    assert any(row["link_clicks"] for row in summary) and any(row["orders"] for row in summary)
    assert any(row["post_type"] == "story" and row["reach"] for row in summary), "no story is estimated"
    assert any(not word.isascii() for row in summary for word in row["keywords"]), "one script only"


def test_totals_of_collections_are_those_of_their_posts(collections_world: Warehouse) -> None:
    totals = {
        tuple(row[name] for name in ("platform", "collection_type", "collection_id", "stats_date")): row
        for row in collections_world.client.query("select * from dbt.mart_collection_social_ts").named_results()
    }
    expected: dict[tuple, dict[str, dict]] = {}
    for (kind, collection, platform, code, _, day), row in recomputed(
        collections_world.client, RUN_TIME
    ).series.items():
        expected.setdefault((platform, kind, collection, day), {})[code] = row
    assert totals.keys() == expected.keys()
    for key, posts in expected.items():
        assert totals[key]["posts"] == len(posts)
        for name in ("views", "likes", "comments", "impressions", "reach", "total_engagement"):
            known = [row[name] for row in posts.values() if row[name] is not None]
            total = totals[key][name]
            assert (total is None) == (not known), (key, name)
            assert not known or math.isclose(total, sum(known), rel_tol=1e-6, abs_tol=1e-3), (key, name)


def test_every_day_of_clicks_equals_the_second_computation(collections_world: Warehouse) -> None:
    key = ("platform", "collection_id", "post_short_code", "stats_date")
    built = {
        tuple(row[name] for name in key): row
        for row in collections_world.client.query("select * from dbt.mart_collection_clicks_ts").named_results()
    }
    expected = daily_clicks(collections_world.client, RUN_TIME.date())
    compare(built, expected)
    assert any(row["clicks_cumul"] > row["clicks"] for row in expected.values()), "no collection with two days"


def test_insert_order_does_not_matter(collections_world: Warehouse) -> None:
    models = ("mart_collection_post_ts", "mart_fake_events", "mart_collection_post", "mart_collection_social_ts")
    before = collections_world.checksums(models)
    collections_world.shuffle(
        "_e.post_log_events",
        "beat_replica.instagram_post_simple",
        "beat_replica.instagram_account",
        "coffee_replica.post_collection_item",
        "coffee_replica.profile_collection_item",
    )
    collections_world.drop_models()
    collections_world.dbt(*BUILD, "test")
    assert collections_world.checksums(models) == before
