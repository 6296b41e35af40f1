"""Every row of mart_leaderboard on the small world against a second computation from the source rows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.gcc_social.conftest import Warehouse
from tests.gcc_social.leaderboard_recomputed import recomputed

pytestmark = pytest.mark.integration

KEY = ("month", "platform", "profile_platform", "platform_id")


@pytest.fixture(scope="module")
def leaderboard_world(small_world: Warehouse) -> Warehouse:
    """The small world with the leaderboard chain built on it."""
    small_world.dbt("build", "--select", "+mart_leaderboard", "--exclude-resource-type", "unit_test")
    return small_world


@pytest.fixture(scope="module")
def built(leaderboard_world: Warehouse) -> dict[tuple, dict[str, Any]]:
    found = leaderboard_world.client.query("select * from dbt.mart_leaderboard").named_results()
    return {tuple(row[name] for name in KEY): row for row in found}


def same(value: Any, expected: Any) -> bool:
    if isinstance(value, float) and isinstance(expected, float):
        return math.isclose(value, expected, rel_tol=1e-12)
    return value == expected


def test_every_row_and_rank_equals_the_second_computation(leaderboard_world: Warehouse, built: dict) -> None:
    expected = recomputed(leaderboard_world.client)
    assert built.keys() == expected.keys()
    wrong = [
        f"{key} {column}: {value!r}, expected {expected[key][column]!r}"
        for key, row in built.items()
        for column, value in row.items()
        if not same(value, expected[key][column])
    ]
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_the_world_exercises_what_the_ranks_must_handle(built: dict) -> None:
    """An empty or tame world would make the comparison worthless."""
    rows = list(built.values())
    last = max(row["month"] for row in rows)
    assert {row["platform"] for row in rows if row["month"] == last} == {"INSTAGRAM", "YOUTUBE", "ALL"}
    assert any(row["followers_change"] is None for row in rows), "no first month and no gap"
    assert any((row["followers_change"] or 0) < 0 for row in rows), "nobody lost followers"
    assert any(row["category"] is None for row in rows), "nobody is without category"
    assert any(row["platform"] == "ALL" and row["ia_views"] and row["yt_views"] for row in rows), "no linked creator"
    ties = {(row["month"], row["followers"]) for row in rows if row["platform"] == "INSTAGRAM"}
    assert len(ties) < sum(row["platform"] == "INSTAGRAM" for row in rows), "no equal follower counts"
    moved = [row for row in rows if row["last_month_ranks"]["followers_rank"] not in (0, row["followers_rank"])]
    assert len(moved) > len(rows) / 10, "hardly anybody changes place"


def test_insert_order_does_not_matter(leaderboard_world: Warehouse) -> None:
    before = leaderboard_world.checksum("mart_leaderboard")
    leaderboard_world.shuffle(
        "_e.profile_log_events",
        "beat_replica.instagram_account",
        "beat_replica.youtube_account",
        "vidooly.social_profiles_new_20230217",
        "vidooly.instagram_page_stats",
        "vidooly.channels_monthly_stats_20230709",
    )
    leaderboard_world.drop_models()
    leaderboard_world.dbt("build", "--select", "+mart_leaderboard", "--exclude-resource-type", "test", "unit_test")
    assert leaderboard_world.checksum("mart_leaderboard") == before
