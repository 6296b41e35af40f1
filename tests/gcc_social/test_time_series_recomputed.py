"""Account series, growth, time series and core metrics on the small world: every row and column against a second
computation from the source rows; and the incremental time series against its full refresh while events arrive.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.gcc_social import time_series_recomputed as again
from tests.gcc_social.conftest import RUN_TIME, Warehouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SERIES = (
    "mart_insta_account_monthly",
    "mart_insta_account_weekly",
    "mart_yt_account_monthly",
    "mart_yt_account_weekly",
)
OTHERS = ("mart_yt_growth", "mart_time_series", "mart_time_series_with_gaps", "mart_profile_core_metrics")
CORE = ("stg_beat_profile_log", "stg_beat_instagram_post", "mart_time_series", "mart_profile_core_metrics")
VERSION = ("changed_at", "posts_changed_at")
SHOWN = ", ".join(
    [
        "platform",
        "platform_id",
        "monthly_stats",
        "date",
        "p_date",
        "followers",
        "followers_change",
        "plays",
        "plays_total",
    ]
)


@pytest.fixture(scope="module")
def world(small_world: Warehouse) -> Warehouse:
    """The small world with the models and all that they are built from."""
    chains = [f"+{model}" for model in (*SERIES, *OTHERS)]
    cautious = ("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test")
    small_world.dbt("build", *cautious, "--select", *chains)
    return small_world


def rows_of(world: Warehouse, model: str, key: Iterable[str]) -> dict[Any, dict[str, Any]]:
    final = "final" if model == "mart_time_series" else ""
    rows = list(world.client.query(f"select * from dbt.{model} {final}").named_results())
    found = {tuple(row[name] for name in key): {name: with_zone(value) for name, value in row.items()} for row in rows}
    assert len(found) == len(rows)
    return found


def with_zone(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def same(value: Any, expected: Any) -> bool:
    if isinstance(value, float) and isinstance(expected, int | float):
        return math.isclose(value, expected, rel_tol=1e-12, abs_tol=1e-4 if value > 1 else 1e-12)
    return value == expected


def compare(built: dict[Any, dict[str, Any]], expected: dict[Any, dict[str, Any]]) -> None:
    assert built.keys() == expected.keys()
    wrong = [
        f"{key} {column}: {value!r}, expected {expected[key][column]!r}"
        for key, row in built.items()
        for column, value in row.items()
        if not same(value, expected[key][column])
    ]
    assert not wrong, "\n".join([f"{len(wrong)} values differ", *wrong[:20]])


@pytest.mark.parametrize(
    ("model", "compute", "period"),
    [
        ("mart_insta_account_monthly", again.instagram_series, again.MONTH),
        ("mart_insta_account_weekly", again.instagram_series, again.WEEK),
        ("mart_yt_account_monthly", again.youtube_series, again.MONTH),
        ("mart_yt_account_weekly", again.youtube_series, again.WEEK),
    ],
)
def test_every_period_equals_the_second_computation(
    world: Warehouse, model: str, compute: Callable, period: again.Period
) -> None:
    built = rows_of(world, model, ("date", "platform_id"))
    compare(built, compute(world.client, period))
    changes = [row["followers_change"] for row in built.values()]
    firsts = [row for row in built.values() if row["p_date"] is None]
    limit = timedelta(days=31 if period.monthly else 7)
    assert firsts, "no first periods"
    assert any(row["p_date"] and row["date"] - row["p_date"] > limit for row in built.values()), "no gaps"
    assert any(change is not None and change < 0 for change in changes), "nobody lost followers"
    assert all(row["followers_change"] is None for row in firsts)


def test_every_growth_equals_the_second_computation(world: Warehouse) -> None:
    built = rows_of(world, "mart_yt_growth", ("channelid",))
    expected = {(channel,): row for channel, row in again.growth(world.client, RUN_TIME).items()}
    compare(built, expected)
    for column in ("follower_7d", "views_30d", "uploads_1y"):
        known = [row[column] for row in built.values() if row[column] is not None]
        assert known, f"{column} is known for nobody"
        assert len(known) < len(built), f"{column} is known for everybody"
    assert any((row["follower_7d"] or 0) < 0 for row in built.values()), "nobody lost subscribers"


def test_every_row_of_the_time_series_equals_the_second_computation(world: Warehouse) -> None:
    built = rows_of(world, "mart_time_series", ("platform", "platform_id", "monthly_stats", "date"))
    compare(built, again.time_series(world.client))
    assert {(row["platform"], row["monthly_stats"]) for row in built.values()} == {
        (platform, monthly) for platform in ("INSTAGRAM", "YOUTUBE") for monthly in (True, False)
    }
    everybody = {row[1] for model in SERIES for row in world.rows(f"select 1, platform_id from dbt.{model}")}
    assert {row["platform_id"] for row in built.values()} < everybody, "only Indian accounts in the world"


def test_every_row_with_gaps_is_a_weekly_row_of_an_indian_account(world: Warehouse) -> None:
    built = rows_of(world, "mart_time_series_with_gaps", ("platform", "platform_id", "date"))
    weekly = {(*key[:2], key[3]) for key in again.time_series(world.client) if not key[2]}
    rows = [
        *again.instagram_series(world.client, again.WEEK).values(),
        *again.youtube_series(world.client, again.WEEK).values(),
    ]
    by_key = {(row["platform"], row["platform_id"], row["date"]): row for row in rows}
    compare(built, {key: by_key[key] for key in weekly})


def test_every_core_metric_equals_the_second_computation(world: Warehouse) -> None:
    built = rows_of(world, "mart_profile_core_metrics", ("platform", "profile_id"))
    compare(built, again.core_metrics(world.client))
    for column in ("handle", "followers", "following", "engagement_rate", "avg_views"):
        assert any(row[column] is None for row in built.values()), f"{column} is known for everybody"
        assert any(row[column] for row in built.values()), f"{column} is known for nobody"


def test_a_count_scraped_now_is_there_after_one_core_run(world: Warehouse) -> None:
    """In the core metrics, and in the current month of the series."""
    ((profile, before),) = world.rows(
        "select platform_id, argMax(followers, date) from dbt.mart_time_series final"
        " where platform = 'INSTAGRAM' and monthly_stats and platform_id in"
        " (select profile_id from beat_replica.instagram_account) group by platform_id order by platform_id limit 1"
    )
    later = RUN_TIME + timedelta(minutes=7)
    scraped(world, profile, before + 12345, happened=later, arrived=later)
    world.dbt("run", "--select", *CORE, run_time=RUN_TIME + timedelta(minutes=15))
    found = "followers from dbt.{} where {} = '{}'"
    assert world.rows("select " + found.format("mart_profile_core_metrics", "profile_id", profile)) == [
        (before + 12345,)
    ]
    assert world.rows(
        "select "
        + found.format("mart_time_series final", "platform_id", profile)
        + " and monthly_stats and date = '2026-06-01'"
    ) == [(before + 12345,)]


def scraped(world: Warehouse, profile: str, followers: int | None, happened: datetime, arrived: datetime) -> None:
    columns = (
        "event_id",
        "source",
        "platform",
        "profile_id",
        "handle",
        "event_timestamp",
        "insert_timestamp",
        "metrics",
        "dimensions",
    )
    metrics = json.dumps({"followers": followers})
    times = [moment.replace(tzinfo=None) for moment in (happened, arrived)]
    event_id = f"{profile}-{happened:%Y%m%d%H%M%S}-{arrived:%Y%m%d%H%M%S}"
    world.insert(
        "_e.profile_log_events",
        columns,
        [(event_id, "provider", "INSTAGRAM", profile, "someone", *times, metrics, "{}")],
    )


def changed_post(world: Warehouse, now: datetime, which: str) -> str:
    """Let the oldest (min) or newest (max) reel of an account of the series gain plays; returns the account."""
    posts = again.ALL_POSTS[0]
    ((owner, published),) = world.rows(
        f"select profile_id, toString({which}(publish_time)) from {posts} where post_type = 'reels' and profile_id in"
        " (select platform_id from dbt.mart_time_series) group by profile_id order by profile_id limit 1"
    )
    world.client.command(
        f"alter table {posts} update plays = plays + 1000,"
        f" updated_at = '{now - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}'"
        f" where profile_id = '{owner}' and publish_time = '{published}' settings mutations_sync = 1"
    )
    return owner


def move_posts(world: Warehouse, now: datetime) -> None:
    """Let the last account of the series give its oldest reel to the first one, and the last but one keep its own.

    Both reels are then said to have been published two months later.
    """
    posts = again.ALL_POSTS[0]
    series = "(select platform_id from dbt.mart_time_series final where monthly_stats and plays > 0)"
    (last, other) = world.rows(
        f"select profile_id, min(publish_time) from {posts} where post_type = 'reels' and plays > 0"
        f" and profile_id in {series} group by profile_id order by profile_id desc limit 2"
    )
    ((first,),) = world.rows(f"select min(profile_id) from {posts} where profile_id in {series}")
    for (owner, published), new_owner in ((last, first), (other, other[0])):
        world.client.command(
            f"alter table {posts} update profile_id = '{new_owner}', publish_time = publish_time + interval 2 month,"
            f" updated_at = '{now - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}' where profile_id = '{owner}'"
            f" and post_type = 'reels' and publish_time = '{published:%Y-%m-%d %H:%M:%S.%f}'"
            " settings mutations_sync = 1"
        )


def test_runs_over_arriving_events_end_in_the_rows_of_a_full_refresh(world: Warehouse) -> None:
    """Events and posts arrive in three waves, drawn at random, so that each wave holds the newest day as well as months
    that are long past; with the last come a post that changes and a reading of two years ago. Then nothing arrives,
    then one reading, and at last posts that move to another owner and another month.
    """
    log, posts = "_e.profile_log_events", again.ALL_POSTS[0]
    for table in (log, posts):
        world.client.command(
            f"create or replace table {table}_all engine = MergeTree order by tuple() as select * from {table}"
        )
        world.client.command(f"truncate table {table}")
    sizes = []

    def arrive(wave: int, share: tuple[int, int]) -> datetime:
        """Bring the rows whose hash modulo 100 lies in `share`; returns the time of the wave."""
        now = RUN_TIME + timedelta(hours=5 * wave)  # farther apart than the look-back
        moment = f"toDateTime('{now:%Y-%m-%d %H:%M:%S}', 'UTC') - interval 3 minute"
        chosen = "modulo(cityHash64({}), 100) between {} and {}"
        world.client.command(
            f"insert into {log} select * replace ({moment} as insert_timestamp) from {log}_all"
            f" where {chosen.format('event_id', *share)}"
        )
        world.client.command(
            f"insert into {posts} select * replace ({moment} as updated_at) from {posts}_all"
            f" where {chosen.format('id', *share)}"
        )
        return now

    def run(now: datetime, *flags: str) -> None:
        world.dbt("run", "--select", *CORE[:3], *flags, run_time=now)
        sizes.append(world.rows("select count() from dbt.mart_time_series")[0][0])

    run(arrive(0, (0, 59)), "--full-refresh")
    world.client.command("system stop merges dbt.mart_time_series")  # so that what a run writes can be counted
    run(arrive(1, (60, 89)))
    now = arrive(2, (90, 99))
    owner = changed_post(world, now, "min")
    scraped(world, owner, 7, happened=now - timedelta(days=730), arrived=now - timedelta(minutes=1))
    run(now)
    before = world.checksum("mart_time_series")
    run(now + timedelta(minutes=15))
    assert world.checksum("mart_time_series") == before, "the look-back reads the same again, and nothing may change"

    for followers in (8, 9):  # twice: the look-back of the first still reaches the last wave
        now += timedelta(hours=5)
        scraped(world, changed_post(world, now, "max"), followers, happened=now - timedelta(minutes=2), arrived=now)
        run(now)
    assert 2 <= sizes[-1] - sizes[-2] < 20, "news of these days are written into their weeks and months alone"

    world.client.command("system stop merges dbt.stg_beat_instagram_post")  # so that no superseded version goes
    now += timedelta(hours=5)
    move_posts(world, now)
    run(now)

    rows = f"select {SHOWN} from dbt.mart_time_series final"
    shown, checksum = set(world.rows(rows)), world.checksum("mart_time_series", without=VERSION)
    run(now, "--full-refresh")
    refreshed = set(world.rows(rows))
    assert (sorted(map(str, refreshed - shown))[:5], sorted(map(str, shown - refreshed))[:5]) == ([], [])
    assert world.checksum("mart_time_series", without=VERSION) == checksum


def test_before_the_accounts_exist_the_series_is_empty_and_then_fills(world: Warehouse) -> None:
    """A new warehouse: dbt_core runs before dbt_hourly."""
    world.drop_models()
    world.dbt("run", "--select", *CORE[:3])
    assert world.rows("select count() from dbt.mart_time_series") == [(0,)]
    world.dbt(
        "build",
        "--select",
        "+int_instagram_account",
        "+int_youtube_account",
        "--exclude-resource-type",
        "test",
        "unit_test",
    )
    world.dbt("run", "--select", "mart_time_series")
    platforms = world.rows("select distinct platform from dbt.mart_time_series order by platform")
    assert platforms == [("INSTAGRAM",), ("YOUTUBE",)]
