"""Post statistics on the small world: recomputed in Python, partial against full, order of storage, reruns."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest

from tests.gcc_social.conftest import RUN_TIME, Warehouse

pytestmark = pytest.mark.integration

FULL = (
    "mart_instagram_all_posts",
    "mart_instagram_post_ranks",
    "mart_instagram_all_posts_with_ranks",
    "mart_instagram_recent_post_stats",
    "mart_instagram_account_summary",
    "mart_instagram_account_summary_via_handles",
)
PARTIAL = tuple(f"{model}_partial" for model in FULL)
SOURCES = (
    "beat_replica.instagram_account",
    "beat_replica.instagram_post_simple",
    "vidooly.instagram_posts_historical_cleaned_v2",
)
STAGING = ("stg_beat_instagram_account", "stg_beat_instagram_post")


@pytest.fixture(scope="module")
def built(small_world: Warehouse) -> Warehouse:
    """All twelve models over the small world, with posts in both feeds, ties, and accounts without followers."""
    disturb(small_world)
    build(small_world)
    return small_world


def build(warehouse: Warehouse) -> None:
    warehouse.dbt("build", "--exclude-resource-type", "unit_test", "--select", *STAGING, *FULL, *PARTIAL)


def disturb(warehouse: Warehouse) -> None:
    """Make sure that the cases on which the reference went wrong are there, whatever the world holds."""
    command = warehouse.client.command
    command(
        "insert into vidooly.instagram_posts_historical_cleaned_v2"
        " select profile_id, handle, shortcode, 'reels', likes + 1000, 7, 7, 7, toDateTime('2026-06-14 00:00:00')"
        " from beat_replica.instagram_post_simple where post_type != 'story' and cityHash64(shortcode) % 5 = 0"
    )
    command(
        "insert into beat_replica.instagram_post_simple"
        " (id, profile_id, handle, shortcode, post_type, likes, comments, updated_at, publish_time)"
        " select 900000000 + number,"
        " (select min(profile_id) from beat_replica.instagram_account where profile_id != ''),"
        " 'tied', 'tied_' || toString(number), if(number % 3 = 0, 'reels', 'image'), 5, 5,"
        " '2026-06-14 00:00:00', '2026-06-14 12:00:00' from numbers(40)"
    )


def latest_by(rows: Iterable[dict], key: str, order: Callable[[dict], tuple]) -> dict[str, dict]:
    newest: dict[str, dict] = {}
    for row in sorted((row for row in rows if row[key]), key=order):
        newest[row[key]] = row
    return newest


def read(warehouse: Warehouse, sql: str) -> list[dict]:
    return list(warehouse.client.query(sql).named_results())


def naive(moment: datetime | None) -> datetime:
    return (moment or datetime(1970, 1, 1)).replace(tzinfo=None)  # noqa: DTZ001 -- both sides are UTC without a mark


def accounts(warehouse: Warehouse) -> list[dict]:
    return read(warehouse, "select * from beat_replica.instagram_account")


def expected_posts(warehouse: Warehouse) -> dict[str, dict]:
    """Posts of known owners as all_posts must have them, by another way than the model's: oldest version first."""
    found: dict[str, dict] = {}
    old = read(warehouse, "select * from vidooly.instagram_posts_historical_cleaned_v2")
    new = read(warehouse, "select * from beat_replica.instagram_post_simple")
    unknown_time = datetime(2000, 1, 1)  # noqa: DTZ001
    for row in old:
        if row["shortcode"] and row["post_type"] != "story":
            moment = naive(row["publish_time"]) - timedelta(minutes=330) if row["publish_time"] else unknown_time
            found[row["shortcode"]] = row | {"publish_time": moment}
    for row in sorted(new, key=lambda row: (naive(row["updated_at"] or row["created_at"]), row["id"])):
        if row["shortcode"] and row["post_type"] and row["post_type"] != "story":
            before = found.get(row["shortcode"], {})
            moment = naive(row["publish_time"]) if row["publish_time"] else unknown_time
            owner = row["profile_id"] or before.get("profile_id")
            found[row["shortcode"]] = row | {"publish_time": moment, "profile_id": owner}
    for row in found.values():
        row["class"] = "reels" if row["post_type"] == "reels" else "static"
    return {code: row for code, row in found.items() if row["profile_id"]}


def total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def ratio(value: float | None, *divisors: int | None) -> float | None:
    for divisor in divisors:
        value = None if value is None or not divisor else value / divisor
    return value


def falling(post: dict, *columns: str) -> tuple:
    return tuple(math.inf if post[column] is None else -post[column] for column in columns)


def expected_summary(posts: list[dict], followers: int | None) -> dict[str, float | None]:
    """A cross-section of the summary's columns for one profile, from the definitions in prose."""
    newest = sorted(posts, key=lambda post: (post["publish_time"], post["shortcode"]), reverse=True)
    recent = newest[:12]
    reels = [post for post in newest if post["class"] == "reels"][:12]
    statics = [post for post in newest if post["class"] == "static"][:12]

    def without_outliers(chosen: list[dict], *columns: str) -> list[dict]:
        # sorted() is stable: ties keep the order newest first.
        return sorted(chosen, key=lambda post: falling(post, *columns))[2:-2] if len(chosen) > 4 else []

    kept = without_outliers(recent, "likes", "comments")
    kept_reels = without_outliers(reels, "plays", "likes", "comments")
    kept_statics = without_outliers(statics, "likes", "comments")

    def likes(chosen: list[dict]) -> float | None:
        return total(post["likes"] for post in chosen)

    def comments(chosen: list[dict]) -> float | None:
        return total(post["comments"] for post in chosen)

    def rate(chosen: list[dict]) -> float | None:
        both = (likes(chosen), comments(chosen))
        return None if None in both else ratio(sum(both), followers, len(chosen))

    engaged = [
        post["likes"] + post["comments"]
        for post in recent
        if post["likes"] is not None and post["comments"] is not None
    ]
    return {
        "recent_posts": len(recent),
        "recent_reels": len(reels),
        "recent_statics": len(statics),
        "avg_likes": ratio(likes(recent), len(recent)),
        "avg_comments": ratio(comments(recent), len(recent)),
        "avg_er": ratio(total(engaged), followers, len(recent)),
        "avg_reels_plays": ratio(total(post["plays"] for post in reels), len(reels)),
        "reels_er": rate(reels),
        "avg_statics_likes": ratio(likes(statics), len(statics)),
        "posts_non_outliers": len(kept),
        "reels_non_outliers": len(kept_reels),
        "statics_non_outliers": len(kept_statics),
        "likes_non_outliers": likes(kept),
        "avg_er_non_outliers": rate(kept),
        "avg_reels_plays_non_outliers": ratio(total(post["plays"] for post in kept_reels), len(kept_reels)),
        "reels_er_non_outliers": rate(kept_reels),
        "avg_statics_likes_non_outliers": ratio(likes(kept_statics), len(kept_statics)),
        "static_er_non_outliers": rate(kept_statics),
    }


def test_every_account_summary_matches_the_recomputation(built: Warehouse) -> None:
    owners = latest_by(accounts(built), "profile_id", lambda row: (naive(row["updated_at"]), row["id"]))
    posts: dict[str, list[dict]] = defaultdict(list)
    for post in expected_posts(built).values():
        posts[post["profile_id"]].append(post)
    found = {row["profile_id"]: row for row in read(built, "select * from dbt.mart_instagram_account_summary")}
    assert len(found) > 200
    assert found.keys() == posts.keys()
    for profile_id, row in found.items():
        followers = owners.get(profile_id, {}).get("followers")
        for column, value in expected_summary(posts[profile_id], followers).items():
            near = value if value is None else pytest.approx(value, rel=1e-9)
            assert row[column] == near, (profile_id, column)


def test_a_post_in_both_feeds_counts_once(built: Warehouse) -> None:
    both = (
        "select shortcode from vidooly.instagram_posts_historical_cleaned_v2 intersect"
        " select shortcode from beat_replica.instagram_post_simple where post_type != 'story'"
    )
    doubled = built.rows(
        "select count(), uniqExact(post_shortcode), countIf(likes >= 1000 and plays = 7)"
        f" from dbt.mart_instagram_all_posts_with_ranks where post_shortcode in ({both})"
    )
    rows, codes, stale = doubled[0]
    assert rows == codes > 100
    assert stale == 0


def test_forty_posts_of_one_second_have_forty_ranks(built: Warehouse) -> None:
    ((ranks, within_twelve),) = built.rows(
        "select uniqExact(post_rank), countIf(post_rank <= 12) from dbt.mart_instagram_post_ranks where profile_id ="
        " (select any(profile_id) from dbt.mart_instagram_post_ranks where post_shortcode = 'tied_1')"
    )
    assert ranks >= 40
    assert within_twelve == 12


def test_partial_rows_are_the_full_models_rows_of_refreshed_accounts(built: Warehouse) -> None:
    edge = f"{RUN_TIME - timedelta(hours=24):%Y-%m-%d %H:%M:%S}"
    refreshed = (
        f"(select profile_id from beat_replica.instagram_account where updated_at >= '{edge}' and profile_id != '')"
    )
    for model, key in (
        ("post_ranks", "post_shortcode"),
        ("recent_post_stats", "post_shortcode"),
        ("account_summary", "profile_id"),
    ):
        of_partial = f"database = 'dbt' and table = 'mart_instagram_{model}_partial'"
        names = built.rows(f"select name from system.columns where {of_partial} order by position")
        columns = ", ".join(name for (name,) in names)
        full = built.rows(
            f"select {columns} from dbt.mart_instagram_{model} where profile_id in {refreshed} order by {key}"
        )
        partial = built.rows(f"select {columns} from dbt.mart_instagram_{model}_partial order by {key}")
        assert full
        assert partial == full
    everyone = built.rows("select count() from dbt.mart_instagram_account_summary")
    few = built.rows("select count() from dbt.mart_instagram_account_summary_partial")
    assert few < everyone


def test_rerun_and_shuffled_sources_give_identical_rows(built: Warehouse) -> None:
    before = built.checksums([*FULL, *PARTIAL])
    build(built)
    assert built.checksums([*FULL, *PARTIAL]) == before
    built.shuffle(*SOURCES)
    built.drop_models()
    build(built)
    assert built.checksums([*FULL, *PARTIAL]) == before
