"""mart_leaderboard computed a second time, from the source rows, in pandas and plain Python.

No expression is shared with the SQL: both follow spec/models/leaderboard.yml with
the departures that the models' descriptions name.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
from clickhouse_connect.driver.client import Client
from dateutil import parser as dates

from tests.gcc_social.leaderboard_accounts import (
    EARLIEST,
    Row,
    instagram_accounts,
    integer,
    linked,
    source_rows,
    youtube_accounts,
)

DEPTH = 1000
FIRST_MONTH = date(2022, 1, 1)
DUMP_DAY = date(2022, 12, 1)
UNKNOWN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
INDIAN_OFFSET = timedelta(minutes=330)

BOARDS: dict[str, list[str]] = {
    "": [],
    "_by_cat": ["category"],
    "_by_lang": ["language"],
    "_by_cat_lang": ["category", "language"],
    "_by_profile": ["profile_type"],
    "_by_cat_profile": ["category", "profile_type"],
    "_by_lang_profile": ["language", "profile_type"],
    "_by_cat_lang_profile": ["category", "language", "profile_type"],
}
METRICS = ("followers", "followers_change", "views", "plays")
RANKS = [f"{metric}_rank{board}" for board in BOARDS for metric in METRICS]

Orders = dict[str, list[str]]
INSTAGRAM: Orders = {metric: [metric, "platform_id"] for metric in METRICS}
YOUTUBE: Orders = {
    "followers": ["followers", "followers_change", "views", "platform_id"],
    "followers_change": ["followers_change", "followers", "views", "platform_id"],
    "views": ["views", "followers", "followers_change", "platform_id"],
}
ALL: Orders = {metric: [metric, "platform_id", "profile_platform"] for metric in METRICS[:3]}

Month = tuple[date, str]  # first day of the month, account


def recomputed(client: Client) -> dict[tuple, Row]:
    """The rows of mart_leaderboard by (month, platform, profile_platform, platform_id)."""
    instagram, youtube = instagram_accounts(client), youtube_accounts(client)
    links = linked(client, instagram, youtube)
    days = profile_days(source_rows(client, "_e.profile_log_events"))
    profile_entries = instagram_entries(instagram_months(client, days), instagram, links)
    channel_months = youtube_entries(youtube_months(client, days), youtube)
    channel_entries = [entry for entry in channel_months if entry["prev_followers"] and (entry["views"] or 0) > 0]
    linked_months = [entry for entry in channel_months if entry["platform_id"] in links]
    unlinked_entries = [entry for entry in channel_entries if entry["platform_id"] not in links]
    creators = combined(profile_entries, linked_months + unlinked_entries, links)
    rows = [
        *leaderboard(profile_entries, INSTAGRAM),
        *leaderboard(channel_entries, YOUTUBE),
        *leaderboard(creators, ALL),
    ]
    return {(row["month"], row["platform"], row["profile_platform"], row["platform_id"]): row for row in rows}


# --- months -----------------------------------------------------------------------------------------------------------


@dataclass
class Day:
    """The last known counters of a profile on one day."""

    followers: int | None = None
    views: int | None = None
    uploads: int | None = None


def profile_days(events: list[Row]) -> dict[tuple[str, str, date], Day]:
    """By (platform, profile, day); a later event replaces only what it knows."""
    days: dict[tuple[str, str, date], Day] = defaultdict(Day)
    for event in sorted(events, key=lambda event: (event["event_timestamp"], event["event_id"])):
        if event["source"].startswith("openapi_") or not event["profile_id"]:
            continue
        metrics = json.loads(event["metrics"] or "{}")
        day = days[event["platform"], event["profile_id"], event["event_timestamp"].date()]
        for name, keys in (
            ("followers", ("followers", "subscriber_count")),
            ("views", ("view_count",)),
            ("uploads", ("media_count", "video_count")),
        ):
            known = next((metrics[key] for key in keys if metrics.get(key) is not None), None)
            if known is not None:
                setattr(day, name, int(known))
    return days


def instagram_months(client: Client, days: dict[tuple[str, str, date], Day]) -> dict[Month, Row]:
    """Followers and post sums by month and profile, with the month before."""
    seen: dict[Month, int] = {}

    def see(day: date, profile: str, followers: int | None) -> None:
        if followers is not None:
            month = (day.replace(day=1), profile)
            seen[month] = max(seen.get(month, followers), followers)

    for (platform, profile, day), counters in days.items():
        if platform == "INSTAGRAM":
            see(day, profile, counters.followers)
    for stat in source_rows(client, "vidooly.instagram_page_stats"):
        before, change = integer(stat["prev_followers"]), integer(stat["followers"])
        if before is not None and change is not None:
            see(datetime.strptime(stat["month"], "%Y%m").replace(tzinfo=UTC).date(), stat["page_id"], before + change)
    for profile in source_rows(client, "vidooly.instagram_profiles"):
        see(DUMP_DAY, profile["profile_id"], integer(profile["followers"]))

    sums = post_sums(client)
    months = {}
    for (month, profile), followers in seen.items():
        row: Row = {"followers": followers, "uploads": 0} | dict.fromkeys(("views", "likes", "comments", "plays"))
        row |= sums.get((month, profile), {})
        months[month, profile] = row
    for (month, profile), row in months.items():
        before = months.get((month_before(month), profile), {})
        row |= {f"prev_{name}": before.get(name) for name in ("followers", "views", "plays")}
    return months


def post_sums(client: Client) -> dict[Month, Row]:
    """Counters of the newest version of each post, by the month of publishing and owner."""
    old, current = "vidooly.instagram_posts_historical_cleaned_v2", "beat_replica.instagram_post_simple"
    versions = [(0, EARLIEST, 0, indian_post(post)) for post in source_rows(client, old)]
    versions += [
        (1, post["updated_at"] or post["created_at"] or EARLIEST, post["id"], post)
        for post in source_rows(client, current)
    ]
    posts: dict[str, Row] = {}
    owners: dict[str, str] = {}
    for _, _, _, post in sorted(versions, key=lambda version: version[:3]):
        if post["shortcode"] and post["post_type"] != "story":
            posts[post["shortcode"]] = post
            owners[post["shortcode"]] = post["profile_id"] or owners.get(post["shortcode"], "")
    frame = pd.DataFrame(
        {
            "month": (post["publish_time"] or UNKNOWN_TIME).date().replace(day=1),
            "owner": owners[shortcode],
            "uploads": 1,
            **{name: post[name] for name in ("views", "likes", "comments", "plays")},
            "engagement": None
            if post["likes"] is None or post["comments"] is None
            else post["likes"] + post["comments"],
        }
        for shortcode, post in posts.items()
        if owners[shortcode]
    )
    counters = ["uploads", "views", "likes", "comments", "plays", "engagement"]
    frame[counters] = frame[counters].apply(pd.to_numeric).astype("Int64")
    totals = frame.groupby(["month", "owner"])[counters].sum(min_count=1)
    return {key: _plain(dict(zip(counters, row, strict=True))) for key, *row in totals.itertuples()}


def indian_post(post: Row) -> Row:
    """A post of the old dump, whose time of publishing is Indian."""
    return post | {"publish_time": post["publish_time"] and post["publish_time"] - INDIAN_OFFSET}


def youtube_months(client: Client, days: dict[tuple[str, str, date], Day]) -> dict[Month, Row]:
    """Lifetime counters by month and channel, with what was gained since the month before."""
    observations = []
    for feed, table in ((1, "20230219"), (2, "20230709")):
        observations += [
            (feed, dates.parse(stat["month"], default=UNKNOWN_TIME).date(), stat["id"],
             Day(*(integer(stat[f"lifetime_{name}"]) for name in ("subscribers", "views", "uploads"))))
            for stat in source_rows(client, f"vidooly.channels_monthly_stats_{table}")
        ]  # fmt: skip
    observations += [
        (3, day, channel, seen) for (platform, channel, day), seen in days.items() if platform == "YOUTUBE"
    ]
    lifetime: dict[Month, Day] = defaultdict(Day)
    for _, day, channel, seen in sorted(observations, key=lambda observation: observation[:2]):
        if day >= FIRST_MONTH:
            known = lifetime[day.replace(day=1), channel]
            for name, value in vars(seen).items():
                if value is not None:
                    setattr(known, name, value)
    rows: dict[Month, Row] = {}
    for month, channel in sorted(month for month, known in lifetime.items() if known.followers is not None):
        now, then = lifetime[month, channel], lifetime.get((month_before(month), channel))
        then = then if then and then.followers is not None else None
        rows[month, channel] = {
            "followers": now.followers,
            "prev_followers": then and then.followers,
            "views": then and difference(now.views, then.views),
            "uploads": then and difference(now.uploads, then.uploads),
            "prev_views": rows.get((month_before(month), channel), {}).get("views"),
        }
    return rows


# --- entries ----------------------------------------------------------------------------------------------------------


def instagram_entries(months: dict[Month, Row], accounts: dict[str, Row], links: dict[str, str]) -> list[Row]:
    entries = []
    for (month, profile), numbers in months.items():
        account = accounts.get(profile)
        if not account or not account["handle"] or account["country"] != "IN":
            continue
        before = numbers["prev_followers"]
        if (numbers["followers"] if before is None else before) == 0:
            continue
        posts, followers = numbers["uploads"], numbers["followers"]
        averages = {
            f"avg_{name}": numbers[name] / posts if posts and numbers[name] is not None else None
            for name in ("likes", "comments", "views", "plays")
        }
        engagement = numbers.get("engagement")
        rate = engagement / posts / followers if posts and followers and engagement is not None else None
        entries.append(
            numbers | averages
            | {name: account[name] for name in ("language", "country", "profile_type")}
            | {"month": month, "platform": "INSTAGRAM", "profile_platform": "IA", "platform_id": profile,
               "category": account["linked_category"] or account["category"], "engagement": engagement,
               "engagement_rate": rate, "ia_views": numbers["plays"], "yt_views": 0,
               "followers_change": difference(followers, before)}
        )  # fmt: skip
    return entries


def youtube_entries(months: dict[Month, Row], accounts: dict[str, Row]) -> list[Row]:
    """Every month of an Indian channel, on a board or not."""
    unmeasured = ("engagement_rate", "avg_likes", "avg_comments", "avg_views", "likes", "comments", "engagement")
    entries = []
    for (month, channel), numbers in months.items():
        account = accounts.get(channel)
        if not account or account["country"] != "IN":
            continue
        entries.append(
            numbers | without_plays() | dict.fromkeys(unmeasured, 0)
            | {name: account[name] for name in ("category", "language", "country", "profile_type")}
            | {"month": month, "platform": "YOUTUBE", "profile_platform": "YA", "platform_id": channel,
               "ia_views": 0, "yt_views": numbers["views"],
               "followers_change": difference(numbers["followers"], numbers["prev_followers"])}
        )  # fmt: skip
    return entries


def combined(profiles: list[Row], channels: list[Row], links: dict[str, str]) -> list[Row]:
    """One entry per creator and month; `links` maps channels to profiles."""
    sides: dict[tuple[date, str, str], list[Row]] = defaultdict(list)
    for entry in channels:  # first: a channel's category and language go before the profile's
        profile = links.get(entry["platform_id"])
        sides[entry["month"], "IA" if profile else "YA", profile or entry["platform_id"]].append(entry)
    for entry in profiles:
        known = entry["prev_followers"] is not None
        plays = {"views": entry["plays"] or 0, "prev_views": (entry["prev_plays"] or 0) if known else None}
        sides[entry["month"], "IA", entry["platform_id"]].append(
            entry | plays | {name: entry[name] or 0 for name in ("ia_views", "likes", "comments")}
        )
    entries = []
    for (month, platform, account), parts in sides.items():
        entry: Row = {"month": month, "platform": "ALL", "profile_platform": platform, "platform_id": account}
        entry |= {
            name: next((p[name] for p in parts if p[name] is not None), None) for name in ("category", "language")
        }
        entry |= {"profile_type": max(part["profile_type"] for part in parts), "country": "IN"} | without_plays()
        entry |= dict.fromkeys(("avg_likes", "avg_views", "avg_comments", "engagement", "engagement_rate"), 0)
        for name in ("views", "prev_views", "ia_views", "yt_views", "uploads", "followers", "prev_followers",
                     "followers_change", "likes", "comments"):  # fmt: skip
            values = [part[name] for part in parts]
            entry[name] = None if None in values else sum(values)
        entries.append(entry)
    return entries


# --- ranks ------------------------------------------------------------------------------------------------------------


def leaderboard(entries: list[Row], orders: Orders) -> list[Row]:
    """Entries with all ranks, those of the month before, and only those that the keep rule keeps."""
    frame = pd.DataFrame(entries)
    for column in METRICS:
        frame[column] = frame[column].astype("Int64")
    for metric, order in orders.items():
        best_first = frame.sort_values(order, ascending=False, na_position="last")
        for board, columns in BOARDS.items():
            place = best_first.groupby(["month", *columns], dropna=False).cumcount() + 1
            frame[f"{metric}_rank{board}"] = place
    names = [name for name in RANKS if name in frame.columns]
    places = {
        (month, kind, account): dict(zip(names, ranks, strict=True))
        for month, kind, account, *ranks in frame[["month", "profile_platform", "platform_id", *names]].itertuples(
            index=False
        )
    }
    finer = [name for name in names if "_by_" in name]
    nobody = dict.fromkeys(RANKS, 0)
    rows = []
    for entry in entries:
        now = places[entry["month"], entry["profile_platform"], entry["platform_id"]]
        if min(now[name] for name in finer) >= DEPTH:
            continue
        before = places.get((month_before(entry["month"]), entry["profile_platform"], entry["platform_id"]), {})
        rows.append(entry | nobody | now | {"current_month_ranks": nobody | now, "last_month_ranks": nobody | before})
    return rows


# --- numbers ----------------------------------------------------------------------------------------------------------


def without_plays() -> Row:
    return {"plays": 0, "prev_plays": 0, "avg_plays": 0}


def difference(value: int | None, before: int | None) -> int | None:
    return None if value is None or before is None else value - before


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _plain(row: dict[str, Any]) -> Row:
    return {name: None if pd.isna(value) else int(value) for name, value in row.items()}
