"""Believable marts in ClickHouse, and the product's accounts that their rows are enriched from."""

# ruff: noqa: S608 -- SQL is built from constants and declarations

from __future__ import annotations

from typing import TYPE_CHECKING

from stir.serving.declaration import Target
from stir.serving.targets.leaderboard import LEADERBOARD
from stir.serving.targets.social_profile_core_metrics import SOCIAL_PROFILE_CORE_METRICS

if TYPE_CHECKING:
    import clickhouse_driver
    import psycopg2.extensions

MONTHS = 12
METRICS = ("followers", "views", "followers_change", "plays")
BOARDS = (
    "",
    "_by_cat",
    "_by_lang",
    "_by_cat_lang",
    "_by_profile",
    "_by_cat_profile",
    "_by_lang_profile",
    "_by_cat_lang_profile",
)
COUNTS = ("followers", "views", "likes", "comments", "plays", "engagement", "uploads", "prev_followers")
PLATFORM_ID = "toString(17841400000000000 + {number})"


def fill_leaderboard(client: clickhouse_driver.Client, rows: int) -> None:
    """`rows` rows over a year's months, half of them of Instagram; both maps hold all 32 ranks."""
    profiles = profiles_of(rows)
    names = [f"{metric}_rank{board}" for board in BOARDS for metric in METRICS]
    ranks = ", ".join(f"'{name}', toUInt64(sipHash64(number, {place}) % 500000)" for place, name in enumerate(names))
    profile = f"number % {profiles}"
    values = {
        "month": f"toDate('2025-11-01') + interval intDiv(number, {profiles}) month",
        "platform": f"if({profile} % 2 = 0, 'INSTAGRAM', 'YOUTUBE')",
        "profile_platform": f"if({profile} % 2 = 0, 'IA', 'YA')",
        "platform_id": PLATFORM_ID.format(number=profile),
        "language": "'hi'",
        "category": "'Fashion & Style'",
        "country": "'IN'",
        "profile_type": "'CREATOR'",
        **{
            name: f"(sipHash64(number, '{name}') % 10000000) / 97"
            for name in ("engagement_rate", "avg_likes", "avg_comments", "avg_views", "avg_plays")
        },
        **{f"{metric}_rank": f"toUInt64(sipHash64(number, '{metric}') % 500000)" for metric in METRICS},
        **{name: f"toInt64(sipHash64(number, '{name}') % 50000000)" for name in COUNTS},
        "last_month_ranks": f"map({ranks})",
        "current_month_ranks": f"map({ranks})",
    }
    _fill(client, LEADERBOARD, values, rows)


def fill_core_metrics(client: clickhouse_driver.Client, profiles: int) -> None:
    """One row per profile."""
    counts = ("followers", "following", "posts")
    ratios = ("engagement_rate", "avg_likes", "avg_comments", "avg_views")
    values = {
        "platform": "if(number % 2 = 0, 'INSTAGRAM', 'YOUTUBE')",
        "profile_id": PLATFORM_ID.format(number="number"),
        "handle": "concat('creator.', toString(number))",
        **{name: f"toInt64(sipHash64(number, '{name}') % 50000000)" for name in counts},
        **{name: f"(sipHash64(number, '{name}') % 10000000) / 97" for name in ratios},
        "newest_event_at": "toDateTime64('2026-11-01 00:00:00', 6) + number % 1000000",
    }
    _fill(client, SOCIAL_PROFILE_CORE_METRICS, values, profiles)


def fill_accounts(connection: psycopg2.extensions.connection, rows: int) -> None:
    """The accounts of every profile of a leaderboard of `rows` rows, with an audience."""
    profiles = profiles_of(rows)
    values = (
        "select n + 1, (17841400000000000 + n)::text, 'creator.' || n, 'Creator ' || n, n * 10, "
        """'{"male": 41.5, "female": 58.5}', '{"13-17": 8.5, "18-24": 40, "25-34": 35, "35+": 16.5}', """
        f"'creator ' || n from generate_series(0, {profiles - 1}) as n where n % 2 = "
    )
    more = "followers, audience_gender, audience_age, search_phrase"
    with connection, connection.cursor() as cursor:
        cursor.execute(f"insert into instagram_account (id, ig_id, handle, name, {more}) {_json(values)}0")
        cursor.execute(f"insert into youtube_account (id, channel_id, username, title, {more}) {_json(values)}1")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze instagram_account, youtube_account")
    connection.autocommit = False


def profiles_of(rows: int) -> int:
    """Profiles of a leaderboard of `rows` rows."""
    return -(-rows // MONTHS)


def _json(values: str) -> str:
    return values.replace("}'", "}'::jsonb")


def _fill(client: clickhouse_driver.Client, target: Target, values: dict[str, str], rows: int) -> None:
    client.execute("create database if not exists dbt")
    client.execute(  # the log that says how new a mart about profiles is
        "create table if not exists dbt.stg_beat_profile_log (event_timestamp DateTime('UTC'), "
        "insert_timestamp DateTime('UTC')) engine = MergeTree order by event_timestamp"
    )
    client.execute(f"drop table if exists {target.mart} sync")
    columns = ", ".join(f"`{column.name}` {column.clickhouse}" for column in target.exported)
    key = ", ".join(target.key)
    client.execute(f"create table {target.mart} ({columns}) engine = MergeTree order by ({key})")
    client.execute(
        f"insert into {target.mart} ({', '.join(values)}) select {', '.join(values.values())} from numbers({rows})",
        settings={"max_block_size": 65536, "max_insert_block_size": 65536},
    )
