"""Every row and column of the smaller marts on the small world against a second computation."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest

from tests.gcc_social import small_marts_captions as captions
from tests.gcc_social import small_marts_recomputed as recomputed
from tests.gcc_social.conftest import RUN_TIME, Warehouse
from tests.gcc_social.leaderboard_accounts import Row, source_rows

pytestmark = pytest.mark.integration

MARTS = (
    *("mart_instagram_post_hashtags", "mart_instagram_hashtags", "mart_insta_predicted_lang", "mart_gcc_orders"),
    *("mart_instagram_tracked_profiles", "mart_youtube_tracked_profiles", "mart_influencer_perf"),
)
UNORDERED = (
    *MARTS,
    *("mart_instagram_post_tagged", "mart_post_location", "mart_instagram_phone", "mart_instagram_gpt_basic_data"),
    *("mart_youtube_profile_relationship", "mart_insta_follower", "mart_yt_subscriber", "mart_yt_subscriber_stage"),
    *("mart_instagram_profiles_followers_count", "mart_instagram_creators_followers_fake_analysis"),
)
"""Marts whose rows must not depend on the order in which the sources hold theirs."""


@pytest.fixture(scope="module")
def marts(small_world: Warehouse) -> Warehouse:
    """The small world with the smaller marts and all that they read built on it."""
    small_world.dbt(
        "build", "--select", *(f"+{mart}" for mart in UNORDERED), "--exclude-resource-type", "unit_test", "test"
    )
    small_world.dbt("test", "--select", *UNORDERED, "--exclude-resource-type", "unit_test")
    return small_world


def built(marts: Warehouse, mart: str, *key: str) -> dict[Any, Row]:
    rows = source_rows(marts.client, f"dbt.{mart}")
    found = {tuple(row[name] for name in key) if len(key) > 1 else row[key[0]]: row for row in rows}
    assert len(found) == len(rows), f"{mart} has {len(rows) - len(found)} rows too many"
    return found


def same(value: Any, expected: Any) -> bool:
    if isinstance(value, float) and isinstance(expected, float):
        return math.isclose(value, expected, rel_tol=1e-12)
    return value == expected


def assert_equal(rows: dict[Any, Row], expected: dict[Any, Row]) -> None:
    assert rows.keys() == expected.keys()
    wrong = [
        f"{key} {column}: {value!r}, expected {expected[key][column]!r}"
        for key, row in rows.items()
        for column, value in row.items()
        if not same(value, expected[key][column])
    ]
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


def test_hashtags(marts: Warehouse) -> None:
    posts = built(marts, "mart_instagram_post_hashtags", "shortcode")
    assert_equal(posts, captions.post_hashtags(marts.client))
    profiles = built(marts, "mart_instagram_hashtags", "platform_id")
    assert_equal(profiles, captions.profile_hashtags(marts.client))
    assert any(not post["hashtags"] for post in posts.values()), "every post has a tag"
    tied = [row for row in profiles.values() if len(set(row["hashtags_counts"])) < len(row["hashtags_counts"])]
    assert tied, "no two tags are equally often used"
    assert any(len(row["hashtags"]) == 10 for row in profiles.values()), "nobody uses ten tags"


def test_caption_languages(marts: Warehouse) -> None:
    languages = built(marts, "mart_insta_predicted_lang", "profile_id")
    assert_equal(languages, captions.caption_languages(marts.client))
    assert len({row["lang"] for row in languages.values()}) >= 5, "few languages"
    assert len(languages) < marts.rows("select uniqExact(profile_id) from beat_replica.instagram_post_simple")[0][0]


def test_orders(marts: Warehouse) -> None:
    orders = built(marts, "mart_gcc_orders", "platform", "platform_order_id")
    for order in orders.values():
        order["order_data"] = json.loads(order["order_data"])
        order["total_price"] = None if order["total_price"] is None else f"{order['total_price']:.2f}"
    assert_equal(orders, recomputed.gcc_orders(marts.client, RUN_TIME))
    assert {"CANCELLED", "DELIVERED", "CONFIRMED", "PENDING"} <= {order["status"] for order in orders.values()}
    assert any(order["utm_campaign"] and '"' in order["utm_campaign"] for order in orders.values()), "no quotes"
    all_orders = marts.rows("select count() from beat_replica.`order`")[0][0]
    assert 0 < len(orders) < all_orders, "all orders came through campaigns"


def test_crawl_lists(marts: Warehouse) -> None:
    profiles = built(marts, "mart_instagram_tracked_profiles", "handle")
    assert_equal(profiles, recomputed.instagram_tracked(marts.client, RUN_TIME))
    assert {row["source"] for row in profiles.values()} >= {"app", "saas-collection", "leaderboard", "saas", "rest"}
    channels = built(marts, "mart_youtube_tracked_profiles", "handle")
    assert_equal(channels, recomputed.youtube_tracked(marts.client, RUN_TIME))
    assert len({row["source"] for row in channels.values()}) >= 4
    assert any(row["last_attempt"] for row in channels.values()), "no channel was ever read"
    assert any(row["next_videos_attempt"] > RUN_TIME for row in channels.values()), "all videos are due"


def test_influencers(marts: Warehouse) -> None:
    creators = built(marts, "mart_influencer_perf", "handle")
    assert_equal(creators, recomputed.influencers(marts.client))
    assert any(row["campaigns"] > 1 for row in creators.values()), "nobody is in two campaigns"
    assert any(row["campaigns"] == 0 for row in creators.values()), "everybody is in a campaign"
    assert any(row["cpm"] for row in creators.values()), "no campaign has cost and impressions"
    assert any(row["campaigns"] and row["cpo"] is None for row in creators.values()), "everybody has orders"
    accounts = Counter(row["handle"] for row in source_rows(marts.client, "identity_replica.social_account"))
    assert any(times > 1 for times in accounts.values()), "no handle is registered twice"


def test_insert_order_does_not_matter(marts: Warehouse) -> None:
    before = marts.checksums(UNORDERED)
    marts.shuffle(
        "_e.profile_log_events",
        "_e.post_log_events",
        "_e.profile_relationship_log_events",
        "_e.yt_profile_relationship_log_events",
        "_stage_e.yt_profile_relationship_log_events",
        "beat_replica.instagram_post_simple",
        "beat_replica.order",
        "beat_replica.recent_scrape_request_log",
        "beat_replica.profile_relationship_log",
        "identity_replica.social_account",
        "identity_replica.host_profile",
        "ds.trinity_phase_two",
        "ds.creator_followers_fake_analysis",
    )
    marts.drop_models()
    selected = [f"+{mart}" for mart in UNORDERED]
    marts.dbt("build", "--select", *selected, "--exclude-resource-type", "unit_test", "test")
    assert marts.checksums(UNORDERED) == before
