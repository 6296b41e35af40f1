"""Every row of the account marts and of their peer groups on the small world against a second computation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gcc_social.conftest import RUN_TIME, Warehouse
from tests.gcc_social.grades_recomputed import differences, graded, group_metrics, instagram_metrics, places
from tests.gcc_social.leaderboard_accounts import Row, youtube_accounts

pytestmark = pytest.mark.integration

PEER_GROUP_PROFILES = 2
"""The small world's groups are smaller than those of production."""

Platforms = dict[str, dict[str, Row]]

MARTS = ("mart_instagram_account", "mart_youtube_account")


CLUSTER = (
    *MARTS,
    "mart_primary_group_metrics",
    "int_instagram_account_ungraded",
    "int_youtube_account_ungraded",
    "mart_manual_data_yt",
    "mart_manual_data_insta",
)


def dbt(world: Warehouse, command: str, *arguments: str) -> None:
    variables = {"run_time": f"{RUN_TIME:%Y-%m-%d %H:%M:%S}", "peer_group_profiles": PEER_GROUP_PROFILES}
    world.project.run(command, *arguments, "--vars", json.dumps(variables))


def build(world: Warehouse) -> None:
    select = [f"+{model}" for model in CLUSTER]
    dbt(world, "build", "--select", *select, "--exclude-resource-type", "test", "unit_test")


@pytest.fixture(scope="module")
def account_world(small_world: Warehouse) -> Warehouse:
    """The small world with accounts, their peer groups and all that these need; the data tests of the former ran."""
    build(small_world)
    dbt(small_world, "test", "--select", *CLUSTER, "--exclude-resource-type", "unit_test")
    return small_world


def keyed(world: Warehouse, model: str, key: str) -> dict[str, Row]:
    rows = list(world.client.query(f"select * from dbt.{model}").named_results())
    found = {row[key]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def ungraded(account_world: Warehouse) -> Platforms:
    return {
        "INSTAGRAM": keyed(account_world, "int_instagram_account_ungraded", "ig_id"),
        "YOUTUBE": keyed(account_world, "int_youtube_account_ungraded", "channel_id"),
    }


@pytest.fixture(scope="module")
def marts(account_world: Warehouse) -> Platforms:
    return {
        "INSTAGRAM": keyed(account_world, "mart_instagram_account", "ig_id"),
        "YOUTUBE": keyed(account_world, "mart_youtube_account", "channelid"),
    }


@pytest.fixture(scope="module")
def expected_groups(ungraded: Platforms) -> dict[str, Row]:
    return group_metrics(ungraded["INSTAGRAM"].values(), ungraded["YOUTUBE"].values(), PEER_GROUP_PROFILES)


def check(rows: dict[str, Row], expected: dict[str, Row]) -> None:
    assert rows.keys() == expected.keys()
    wrong = differences(rows, expected)
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_every_group_equals_the_second_computation(account_world: Warehouse, expected_groups: dict[str, Row]) -> None:
    groups = keyed(account_world, "mart_primary_group_metrics", "group_key")
    check(groups, expected_groups)
    assert {column for row in groups.values() for column in row} == {
        column for row in expected_groups.values() for column in row
    }


@pytest.mark.parametrize("platform", ["INSTAGRAM", "YOUTUBE"])
def test_every_grade_equals_the_second_computation(
    platform: str,
    ungraded: Platforms,
    marts: Platforms,
    expected_groups: dict[str, Row],
) -> None:
    category = "primary_category" if platform == "INSTAGRAM" else "category"
    by_country = places(ungraded[platform], ["country"])
    by_category = places(ungraded[platform], ["country", category])
    expected = {
        key: graded(platform, row, expected_groups)
        | {"country_rank": by_country[key], "category_rank": by_category[key]}
        for key, row in ungraded[platform].items()
    }
    check(marts[platform], expected)


def test_instagram_metrics_equal_those_of_the_source_rows(account_world: Warehouse, marts: Platforms) -> None:
    check(marts["INSTAGRAM"], instagram_metrics(account_world.client, RUN_TIME))


def test_youtube_metrics_equal_those_of_the_source_rows(account_world: Warehouse, marts: Platforms) -> None:
    growth = keyed(account_world, "mart_yt_growth", "channelid")
    unknown: Row = dict.fromkeys(next(iter(growth.values())))
    expected = {}
    for channel, account in youtube_accounts(account_world.client).items():
        gained = growth.get(channel, unknown)
        expected[channel] = {
            "followers": account["followers"],
            "followers_growth7d": gained["follower_7d"],
            "followers_growth30d": gained["follower_30d"],
            "followers_growth1y": gained["follower_1y"],
            "views_1y": gained["views_1y"],
            "video_views_last30": gained["views_30d"],
            "views_30d": clamped(gained["views_30d"]),
            "uploads_30d": clamped(gained["uploads_30d"]),
            "avg_posts_per_week": clamped(gained["uploads_7d"]),
            "avg_video_views": per_upload(marts["YOUTUBE"][channel]),
        }
    check(marts["YOUTUBE"], expected)


def clamped(change: int | None) -> int | None:
    return None if change is None else max(change, 0)


def per_upload(row: Row) -> float | None:
    if row["views"] is None or row["uploads"] is None:
        return None if row["uploads"] != 0 else 0
    return row["views"] / row["uploads"] if row["uploads"] else 0


def test_the_world_exercises_what_grades_must_handle(marts: Platforms, expected_groups: dict[str, Row]) -> None:
    """An empty or tame world would make the comparison worthless."""
    profiles, channels = marts["INSTAGRAM"].values(), marts["YOUTUBE"].values()

    def seen(rows: Any, column: str) -> set:
        return {row[column] for row in rows}

    every_grade = {"Poor", "Average", "Good", "Very Good", "Excellent"}
    assert every_grade | {None} <= seen(profiles, "engagement_rate_grade")
    assert every_grade <= seen(channels, "followers_grade")
    for rows in (profiles, channels):
        assert any(row["group_key"] and row["group_key"] == row["primary_group"] for row in rows), "no primary group"
        in_secondary = [row for row in rows if row["group_key"] and row["group_key"] == row["secondary_group"]]
        assert any(row["group_key"] in expected_groups for row in in_secondary), "nobody falls back"
        assert any(row["group_key"] not in expected_groups for row in in_secondary), "no group is too small"
        assert any((row["followers_growth30d"] or 0) < 0 for row in rows), "nobody lost followers"
        assert any(row["followers_growth1y"] is None for row in rows), "everybody has a baseline of a year"
        assert any(row["followers_growth1y"] for row in rows), "nobody has a baseline of a year"
    assert any(row["followers"] is None and row["group_key"] is None for row in profiles), "all followers are known"
    assert any(row["primary_category"] is None for row in profiles), "everybody is classified"
    assert any(row["uploads_30d"] == 0 for row in profiles), "everybody posts"
    assert any(row["comments_rate"] is None and row["followers"] == 0 for row in profiles), "nobody without followers"
    assert {"gpt", "beat"} <= seen(profiles, "language_source")
    assert any(row["channel_quality_grade"] is None for row in channels)
    assert any(row["linked_instagram_handle"] for row in channels)


def test_insert_order_does_not_matter(account_world: Warehouse) -> None:
    models = ["mart_primary_group_metrics", *MARTS]
    before = account_world.checksums(models)
    account_world.shuffle(
        "_e.profile_log_events",
        "beat_replica.instagram_account",
        "beat_replica.instagram_post_simple",
        "beat_replica.youtube_account",
        "vidooly.social_profiles_new_20230217",
        "vidooly.instagram_profiles",
    )
    account_world.drop_models()
    build(account_world)
    assert account_world.checksums(models) == before
