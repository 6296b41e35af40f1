"""Every row of the published genre marts on the small world against a second computation."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from tests.gcc_social import genre_recomputed
from tests.gcc_social.conftest import Warehouse
from tests.gcc_social.genre_recomputed import DIMENSIONS

pytestmark = pytest.mark.integration

POST_KEY = ("platform", "short_code")


@pytest.fixture(scope="module")
def genre_world(small_world: Warehouse) -> Warehouse:
    """The small world with the genre chain built on it."""
    small_world.dbt("build", "--select", "+tag:genre", "--exclude-resource-type", "unit_test")
    return small_world


def rows_of(warehouse: Warehouse, model: str, key: tuple[str, ...]) -> dict[tuple, dict[str, Any]]:
    found = warehouse.client.query(f"select * from dbt.{model}").named_results()
    return {tuple(row[name] for name in key): row for row in found}


@pytest.fixture(scope="module")
def posts(genre_world: Warehouse) -> dict[tuple, dict[str, Any]]:
    return rows_of(genre_world, "mart_genre_trending_content", POST_KEY)


@pytest.fixture(scope="module")
def rollups(genre_world: Warehouse) -> dict[tuple, dict[str, Any]]:
    return rows_of(genre_world, "mart_genre_overview", DIMENSIONS)


def same(value: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return value.keys() == expected.keys() and all(same(value[name], expected[name]) for name in expected)
    if isinstance(expected, Fraction):
        return abs(Fraction(value) - expected) <= Fraction(5, 1000) + Fraction(1, 10**9) and round(value, 2) == value
    if isinstance(expected, float) and value is not None:
        return math.isclose(value, expected, rel_tol=1e-12, abs_tol=1e-12)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) == expected
    return value == expected


def differences(built: dict, expected: dict) -> list[str]:
    assert built.keys() == expected.keys()
    assert all(row.keys() == expected[key].keys() for key, row in built.items())
    return [
        f"{key} {column}: {value!r}, expected {expected[key][column]!r}"
        for key, row in built.items()
        for column, value in row.items()
        if not same(value, expected[key][column])
    ]


def test_every_trending_post_equals_the_second_computation(genre_world: Warehouse, posts: dict) -> None:
    wrong = differences(posts, genre_recomputed.trending(genre_world.client))
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_every_rollup_equals_the_second_computation(genre_world: Warehouse, rollups: dict) -> None:
    wrong = differences(rollups, genre_recomputed.overview(genre_world.client))
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_the_world_exercises_the_lists(posts: dict) -> None:
    """An empty or tame world would make the comparison worthless."""
    rows = list(posts.values())
    assert {row["views_source"] for row in rows} == {"insights", "estimate", "platform"}
    assert any(row["category"] is None for row in rows), "no post without category"
    equal = Counter((row["month"], row["category"], row["plays"]) for row in rows if row["platform"] == "INSTAGRAM")
    assert max(equal.values()) > 1, "no equal plays"
    assert any(str(row["thumbnail_url"]).startswith("https://assets.example/") for row in rows), "no stored picture"
    assert any("/shorts/" in row["post_url"] for row in rows), "no short"


def test_the_world_exercises_the_rollups(rollups: dict) -> None:
    rows = list(rollups.values())
    assert {"MISSING", "ALL", "kn"} <= {row["language"] for row in rows}
    assert "MISSING" in {row["category"] for row in rows}
    assert len({row["profile_type"] for row in rows}) > 2
    grand = {name: rollups["ALL", "ALL", "ALL", "ALL", name] for name in ("INSTAGRAM", "YOUTUBE", "ALL")}
    apart = grand["INSTAGRAM"]["creators"] + grand["YOUTUBE"]["creators"]
    assert grand["ALL"]["creators"] < apart, "no creator on both platforms"
    assert 0 < grand["ALL"]["demo_followers"] < grand["ALL"]["followers"], "every audience is known, or none"
    assert grand["YOUTUBE"]["engagement"] is None
    assert any((row["followers_change"] or 0) < 0 for row in rows), "nobody lost followers"
    by_month = [
        row["followers"]
        for key, row in rollups.items()
        if key[0] != "ALL" and key[1:] == ("ALL", "ALL", "ALL", "INSTAGRAM")
    ]
    assert len(by_month) > 2
    assert grand["INSTAGRAM"]["followers"] < sum(by_month), "followers add up over months"


def test_insert_order_does_not_matter(genre_world: Warehouse) -> None:
    models = ("mart_genre_trending_content", "mart_genre_overview")
    before = genre_world.checksums(models)
    genre_world.shuffle(
        "beat_replica.instagram_post_simple", "beat_replica.youtube_post_simple", "beat_replica.asset_log"
    )
    genre_world.drop_models()
    genre_world.dbt("build", "--select", "+tag:genre", "--exclude-resource-type", "test", "unit_test")
    assert genre_world.checksums(models) == before
