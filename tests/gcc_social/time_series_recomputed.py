"""The account series, their growth, the time series and the core metrics computed a second time, in plain Python.

Reads source tables only and shares no expression with the SQL: both follow the models' descriptions.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client
from dateutil import parser as dates

from tests.gcc_social.leaderboard_accounts import (
    EARLIEST,
    Row,
    grouped,
    instagram_accounts,
    integer,
    newest,
    source_rows,
    youtube_accounts,
)

DUMP_DAY = date(2022, 12, 1)
FIRST_MONTH = date(2022, 1, 1)
NEVER_PUBLISHED = datetime(2000, 1, 1, tzinfo=UTC)
INDIAN_OFFSET = timedelta(minutes=330)
RECENT = 12
ALL_POSTS = ("beat_replica.instagram_post_simple", "vidooly.instagram_posts_historical_cleaned_v2")

Key = tuple[date, str]  # first day of the period, account


@dataclass(frozen=True)
class Period:
    """A kind of period: how to find the first day of the one that a day lies in, and of the one before that."""

    start: Callable[[date], date]
    before: Callable[[date], date]
    monthly: bool


MONTH = Period(lambda day: day.replace(day=1), lambda first: (first - timedelta(days=1)).replace(day=1), monthly=True)
WEEK = Period(
    lambda day: day - timedelta(days=day.isoweekday() % 7), lambda first: first - timedelta(days=7), monthly=False
)


# --- readings ---------------------------------------------------------------------------------------------------------


@dataclass
class Reading:
    """What was last known of an account on one day."""

    handle: str | None = None
    followers: int | None = None
    following: int | None = None
    uploads: int | None = None
    views: int | None = None
    happened: datetime = EARLIEST
    arrived: datetime = EARLIEST


def readings(client: Client) -> dict[tuple[str, str, date], Reading]:
    """By (platform, account, day), from the event log; a later event replaces only what it knows."""
    days: dict[tuple[str, str, date], Reading] = defaultdict(Reading)
    for event in sorted(
        source_rows(client, "_e.profile_log_events"), key=lambda row: (row["event_timestamp"], row["event_id"])
    ):
        if event["source"].startswith("openapi_") or not event["profile_id"]:
            continue
        metrics = json.loads(event["metrics"] or "{}")
        day = days[event["platform"], event["profile_id"], event["event_timestamp"].date()]
        day.happened = event["event_timestamp"]
        day.arrived = max(day.arrived, event["insert_timestamp"])
        day.handle = event["handle"] or day.handle
        for name, keys in (
            ("followers", ("followers", "subscriber_count")),
            ("following", ("following",)),
            ("uploads", ("media_count", "video_count")),
            ("views", ("view_count",)),
        ):
            for key in keys:
                if metrics.get(key) is not None:
                    setattr(day, name, int(metrics[key]))
                    break
    return days


def month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


# --- Instagram --------------------------------------------------------------------------------------------------------


def instagram_series(client: Client, period: Period) -> dict[Key, Row]:
    """Rows of mart_insta_account_monthly or _weekly; reach and impressions among them in any case."""
    seen: dict[Key, list[tuple[int, date, int, int | None]]] = defaultdict(list)

    def see(profile: str, feed: int, day: date, followers: int | None, following: int | None = None) -> None:
        if followers is not None:
            seen[period.start(day), profile].append((feed, day, followers, following))

    for (platform, profile, day), reading in readings(client).items():
        if platform == "INSTAGRAM":
            see(profile, 3, day, reading.followers, reading.following)
    for stat in source_rows(client, "vidooly.instagram_page_stats"):
        before, change = integer(stat["prev_followers"]), integer(stat["followers"])
        if before is not None and change is not None:
            day = month_end(datetime.strptime(stat["month"], "%Y%m").replace(tzinfo=UTC).date())
            see(stat["page_id"], 2, day, before + change)
    for profile in source_rows(client, "vidooly.instagram_profiles"):
        see(profile["profile_id"], 1, DUMP_DAY, integer(profile["followers"]))

    sums = post_sums(client, period)
    rows = {}
    for (first, profile), found in seen.items():
        best = sorted(found, key=lambda snapshot: snapshot[:3])
        row = sums.get((first, profile), dict.fromkeys(SUMMED)) | {
            "followers": best[-1][2],
            "following": next((snapshot[3] for snapshot in reversed(best) if snapshot[3] is not None), None),
        }
        posts = row.setdefault("uploads", 0)
        for name in ("views", "likes", "comments", "plays", "engagement"):
            row[f"avg_{name}"] = row[name] / posts if posts and row[name] is not None else None
        rate = row.pop("avg_engagement")
        row["engagement_rate"] = rate / row["followers"] if row["followers"] and rate is not None else None
        row |= {"date": first, "platform": "INSTAGRAM", "platform_id": profile, "enabled": 1}
        rows[first, profile] = row
    return with_previous(rows, period, {"followers": "followers_change"})


SUMMED = ("views", "likes", "comments", "plays", "engagement", "reach", "impressions", "plays_total")


def post_sums(client: Client, period: Period) -> dict[Key, Row]:
    sums: dict[Key, Row] = {}
    total: dict[str, int | None] = defaultdict(lambda: None)
    by_period: dict[Key, list[Row]] = defaultdict(list)
    for post in instagram_posts(client):
        by_period[period.start(post["publish_time"].date()), post["owner"]].append(post)
    for first, owner in sorted(by_period):
        posts = by_period[first, owner]
        row = {name: plus(post[name] for post in posts) for name in SUMMED[:-1]}
        total[owner] = plus([total[owner], row["plays"]])
        sums[first, owner] = row | {"plays_total": total[owner], "uploads": len(posts)}
    return sums


def plus(values: Iterable[Any]) -> Any:
    """Sum of what is known, None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def instagram_posts(client: Client) -> list[Row]:
    """The newest version of each post with a known owner, with its estimates; no stories."""
    current, old = ALL_POSTS
    versions = [
        (0, EARLIEST, 0, post | {"publish_time": post["publish_time"] and post["publish_time"] - INDIAN_OFFSET})
        for post in source_rows(client, old)
    ]
    versions += [
        (1, post["updated_at"] or post["created_at"] or EARLIEST, post["id"], post)
        for post in source_rows(client, current)
    ]
    posts: dict[str, Row] = {}
    for _, _, _, post in sorted(versions, key=lambda version: version[:3]):
        if post["shortcode"] and post["post_type"] != "story":
            owner = post["profile_id"] or posts.get(post["shortcode"], {}).get("owner")
            posts[post["shortcode"]] = post | {"owner": owner}
    accounts = grouped(source_rows(client, "beat_replica.instagram_account"), "profile_id")
    found = []
    for post in posts.values():
        if post["owner"]:
            followers = newest(accounts[post["owner"]])["followers"] if post["owner"] in accounts else None
            likes, comments = post["likes"], post["comments"]
            found.append(post | estimates(post, followers) | {
                "publish_time": post["publish_time"] or NEVER_PUBLISHED,
                "engagement": None if likes is None or comments is None else likes + comments,
            })  # fmt: skip
    return found


def estimates(post: Row, followers: int | None) -> Row:
    likes, plays = post["likes"], post["plays"]
    if post["post_type"] == "reels":
        known = plays is not None and followers is not None
        reach = max(plays * (0.94 - 0.001 * math.log2(max(followers, 1))), 0) if known else None
        return {"reach": reach, "impressions": plays}
    if likes is None:
        return {"reach": None, "impressions": None}
    magnitude = math.log10(likes) if likes > 0 else 0
    return {
        "reach": max((7.6 - 0.7 * magnitude) * 0.85 * likes, 0),
        "impressions": max((7.6 - 0.75 * magnitude) * 0.95 * likes, 0),
    }


# --- YouTube ----------------------------------------------------------------------------------------------------------


def youtube_series(client: Client, period: Period) -> dict[Key, Row]:
    """Rows of mart_yt_account_monthly or _weekly."""
    seen: dict[Key, list[tuple[int, date, Row]]] = defaultdict(list)

    def see(channel: str, feed: int, day: date, followers: Any, views: Any, uploads: Any) -> None:
        counters = {"followers": integer(followers), "views": integer(views), "uploads": integer(uploads)}
        if day >= FIRST_MONTH or not period.monthly:
            seen[period.start(day), channel].append((feed, day, counters))

    for stat in source_rows(client, "vidooly.channels_monthly_stats_20230219"):
        day = dates.parse(stat["month"], default=NEVER_PUBLISHED).date()
        counters = (stat[f"lifetime_{name}"] for name in ("subscribers", "views", "uploads"))
        see(stat["id"], 1, day if period.monthly else month_end(day), *counters)
    if period.monthly:
        for stat in source_rows(client, "vidooly.channels_monthly_stats_20230709"):
            day = dates.parse(stat["month"], default=NEVER_PUBLISHED).date()
            see(stat["id"], 2, day, *(stat[f"lifetime_{name}"] for name in ("subscribers", "views", "uploads")))
    else:
        for file in source_rows(client, "vidooly.youtube_channels"):
            day = datetime.strptime(file["_path"].rsplit("_", 1)[1].split(".")[0], "%Y%m%d").replace(tzinfo=UTC).date()
            see(file["id"], 2, day, *(file[name] for name in ("subscriber_count", "view_count", "video_count")))
    for (platform, channel, day), reading in readings(client).items():
        if platform == "YOUTUBE":
            see(channel, 3, day, reading.followers, reading.views, reading.uploads)

    rows = {}
    for (first, channel), found in seen.items():
        found.sort(key=lambda snapshot: snapshot[1], reverse=period.monthly)  # the last of a month, the first of a week
        found.sort(key=lambda snapshot: snapshot[0], reverse=True)  # stable: the best feed, in that order
        row: Row = {
            name: next((counters[name] for _, _, counters in found if counters[name] is not None), None)
            for name in ("followers", "views", "uploads")
        }
        if row["followers"] is not None:
            row |= {"date": first, "platform": "YOUTUBE", "platform_id": channel} | dict.fromkeys(UNMEASURED, 0)
            rows[first, channel] = row
    return with_previous(rows, period, {name: f"{name}_change" for name in ("followers", "views", "uploads")})


UNMEASURED = ("engagement_rate", "likes", "plays", "comments", "engagement", "following", "avg_views", "avg_likes",
              "avg_comments", "avg_plays")  # fmt: skip


def with_previous(rows: dict[Key, Row], period: Period, changes: dict[str, str]) -> dict[Key, Row]:
    """Adds monthly_stats, p_date and the changes since the period before."""
    last: dict[str, date] = {}
    for first, account in sorted(rows):
        row, before = rows[first, account], rows.get((period.before(first), account), {})
        row |= {"monthly_stats": period.monthly, "p_date": last.get(account)}
        for name, change in changes.items():
            row[change] = None if None in (row[name], before.get(name)) else row[name] - before[name]
        last[account] = first
    return rows


def growth(client: Client, now: datetime) -> dict[str, Row]:
    """Rows of mart_yt_growth."""
    weeks: dict[str, dict[date, Row]] = defaultdict(dict)
    for (first, channel), row in youtube_series(client, WEEK).items():
        weeks[channel][first] = row
    found = {}
    for channel, by_week in weeks.items():
        current = max(by_week)
        alive = current >= WEEK.before(WEEK.start(now.date()))
        row: Row = {"channelid": channel}
        for window, days, slack in (("7d", 7, 7), ("30d", 30, 7), ("1y", 365, 31)):
            candidates = [current - timedelta(days=age) for age in range(days, days + slack)]
            for output, name in (("follower", "followers"), ("uploads", "uploads"), ("views", "views")):
                values = [by_week[day][name] for day in candidates if day in by_week]
                baseline = next((value for value in values if value is not None), None)
                now_known = by_week[current][name] if alive else None
                row[f"{output}_{window}"] = None if None in (now_known, baseline) else now_known - baseline
        found[channel] = row
    return found


# --- time series ------------------------------------------------------------------------------------------------------


def time_series(client: Client) -> dict[tuple, Row]:
    """Rows of mart_time_series after a full refresh, by (platform, account, monthly_stats, date)."""
    indian = {name for name, account in instagram_accounts(client).items() if account["country"] == "IN"}
    indian |= {name for name, account in youtube_accounts(client).items() if account["country"] == "IN"}
    changed: dict[str, datetime] = defaultdict(lambda: EARLIEST)
    posts_changed: dict[str, datetime | None] = defaultdict(lambda: None)
    for (_, account, _), reading in readings(client).items():
        changed[account] = max(changed[account], reading.arrived)
    for post in source_rows(client, ALL_POSTS[0]):
        written, owner = post["updated_at"] or post["created_at"] or EARLIEST, post["profile_id"]
        if owner:
            changed[owner] = max(changed[owner], written)
            posts_changed[owner] = max(posts_changed[owner] or EARLIEST, written)
    rows = {}
    for period in (WEEK, MONTH):
        instagram = [row | {"views_total": 0, "views": 0} for row in instagram_series(client, period).values()]
        youtube = [
            row | {
                "views_total": floored(row["views"]),
                "views": floored(row["views_change"]),
                "uploads": floored(row["uploads_change"]),
                "plays_total": 0,
            }
            for row in youtube_series(client, period).values()
        ]  # fmt: skip
        for row in [*instagram, *youtube]:
            account = row["platform_id"]
            if account in indian:
                row |= {"changed_at": changed[account], "posts_changed_at": posts_changed[account]}
                rows[row["platform"], account, row["monthly_stats"], row["date"]] = row
    return rows


def floored(value: int | None) -> int | None:
    return None if value is None else max(value, 0)


# --- core metrics -----------------------------------------------------------------------------------------------------


def core_metrics(client: Client) -> dict[tuple, Row]:
    """Rows of mart_profile_core_metrics, by (platform, account)."""
    known: dict[tuple, list[tuple[tuple, Row]]] = defaultdict(list)
    for (platform, account, _), reading in readings(client).items():
        values = {
            "handle": reading.handle if platform == "INSTAGRAM" else None,
            "followers": reading.followers,
            "following": reading.following,
            "posts": reading.uploads,
        }
        known[platform, account].append(((reading.happened, 1, 0), values))
    for platform, table, account, columns in (
        ("INSTAGRAM", "instagram_account", "profile_id", ("handle", "followers", "following", "media_count")),
        ("YOUTUBE", "youtube_account", "channel_id", ("custom_url", "subscribers", None, "uploads")),
    ):
        for row in source_rows(client, f"beat_replica.{table}"):
            if row[account]:
                numbers = [row[column] if column else None for column in columns]
                values = dict(zip(("handle", "followers", "following", "posts"), numbers, strict=True))
                values["handle"] = values["handle"] or None
                known[platform, row[account]].append(((row["updated_at"] or EARLIEST, 0, row["id"]), values))

    posts = recent_posts(client)
    rows = {}
    for key, found in known.items():
        found.sort(key=lambda reading: reading[0], reverse=True)
        row: Row = {
            name: next((values[name] for _, values in found if values[name] is not None), None)
            for name in ("handle", "followers", "following", "posts")
        }
        row |= {"platform": key[0], "profile_id": key[1], "newest_event_at": found[0][0][0]}
        latest = posts[key][:RECENT]
        videos = [post for post in posts[key] if post["is_video"]][:RECENT]
        for name in ("likes", "comments"):
            row[f"avg_{name}"] = average([post[name] for post in latest])
        row["avg_views"] = average([post["views"] for post in videos])
        rate = average([None if None in (p["likes"], p["comments"]) else p["likes"] + p["comments"] for p in latest])
        row["engagement_rate"] = rate / row["followers"] if row["followers"] and rate is not None else None
        rows[key] = row
    return rows


def recent_posts(client: Client) -> dict[tuple, list[Row]]:
    """Posts of each account, the newest first."""
    versions: dict[tuple, tuple[datetime, int, Row]] = {}
    for platform, table, owner in (
        ("INSTAGRAM", "instagram_post_simple", "profile_id"),
        ("YOUTUBE", "youtube_post_simple", "channel_id"),
    ):
        for post in source_rows(client, f"beat_replica.{table}"):
            if (
                post[owner]
                and post["shortcode"]
                and (platform == "YOUTUBE" or post["post_type"] not in ("story", None))
            ):
                written = (post["updated_at"] or post["created_at"] or EARLIEST, post["id"])
                if written > versions.get((platform, post["shortcode"]), (EARLIEST, -1))[:2]:
                    versions[platform, post["shortcode"]] = (*written, post | {"owner": post[owner]})
    posts: dict[tuple, list[Row]] = defaultdict(list)
    for (platform, _), (_, _, post) in versions.items():
        youtube = platform == "YOUTUBE"
        posts[platform, post["owner"]].append({
            "published": (post["published_at"] if youtube else post["publish_time"]) or EARLIEST,
            "shortcode": post["shortcode"],
            "likes": post["likes"],
            "comments": post["comments"],
            "views": post["views"] if youtube else post["plays"],
            "is_video": youtube or post["post_type"] == "reels",
        })  # fmt: skip
    for found in posts.values():
        found.sort(key=lambda post: (post["published"], post["shortcode"]), reverse=True)
    return posts


def average(values: list[Any]) -> float | None:
    """Sum of what is known by the number of all."""
    total = plus(values)
    return None if total is None else total / len(values)
