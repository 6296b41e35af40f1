"""Collection series, gap filling and summary computed a second time, from the source rows, in plain Python.

Nothing here reads a dbt model. Where the SQL works on sets, this walks each post day by day.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from clickhouse_connect.driver.client import Client

from tests.gcc_social.collections_members import Post, hashtags, keywords, production_members, staging_members
from tests.gcc_social.leaderboard_accounts import EARLIEST, Row, grouped, source_rows

UPLIFT_FROM = datetime(2023, 11, 22, tzinfo=UTC)
IMPRESSIONS_FROM = datetime(2023, 11, 23, tzinfo=UTC)
FILLED = ("views", "likes", "comments", "plays", "real_reach", "real_impressions")
CARRIED = {
    "saves": "saved",
    "shares": "shares",
    "swipe_ups": "swipe_up",
    "mentions": "mentions",
    "sticker_taps": "sticker_taps",
    "story_exits": "tap_exit",
    "story_back_taps": "tap_back",
    "story_forward_taps": "tap_forward",
}
OF_LATEST_EVENT = ("mentions", "sticker_taps")
"""Counters that no provider sends: the log keeps them only in the JSON of the day's latest event."""
ORDERS = {
    "orders": "overall_orders",
    "delivered_orders": "delivered_orders",
    "completed_orders": "completed_orders",
    "leaderboard_overall_orders": "leaderboard_overall_orders",
    "leaderboard_delivered_orders": "leaderboard_delivered_orders",
    "leaderboard_completed_orders": "leaderboard_completed_orders",
}

Collection = tuple[str, str]  # type, id
Days = dict[date, Row]


@dataclass
class Recomputed:
    """Rows of one environment by key."""

    fake_events: dict[tuple, Row]  # platform, short code, day
    series: dict[tuple, Row]  # type, collection, platform, short code, item, day
    summary: dict[tuple, Row]  # type, platform, collection, short code


def recomputed(client: Client, run_time: datetime, *, staging: bool = False) -> Recomputed:
    members = staging_members(client, run_time) if staging else production_members(client, run_time)
    collected = {(member["platform"], member["post_short_code"]) for member in members}
    read = {post: days for post, days in readings(client, run_time.date()).items() if post in collected}
    ends: dict[Collection, date] = {}
    for member in members:
        days = read.get((member["platform"], member["post_short_code"]))
        if days:
            collection = (member["collection_type"], member["collection_id"])
            ends[collection] = max(ends.get(collection, max(days)), *days)
    clicks = item_clicks(client, members, by_hand=not staging)
    series = daily_series(client, members, read, ends, clicks)
    starts = (
        oldest_items(members)
        if staging
        else {row["id"]: row["created_at"] for row in source_rows(client, "coffee_replica.post_collection")}
    )
    return Recomputed(gap_filling(members, read, ends), series, latest(client, members, series, clicks, starts))


# --- readings and gaps ------------------------------------------------------------------------------------------------


def readings(client: Client, today: date) -> dict[Post, Days]:
    """By post and day, the latest known counters."""
    read: dict[Post, Days] = defaultdict(lambda: defaultdict(dict))
    for event in sorted(
        source_rows(client, "_e.post_log_events"), key=lambda event: (event["event_timestamp"], event["event_id"])
    ):
        day = event["event_timestamp"].date()
        if day > today:
            continue
        row = read[event["platform"], event["shortcode"]][day]
        row["read_at"] = event["event_timestamp"]
        metrics = json.loads(event["metrics"] or "{}")
        if metrics:
            row |= {name: whole(metrics.get(CARRIED[name])) for name in OF_LATEST_EVENT}
        for name, key in {"likes": "likes", "comments": "comments", "view_count": "view_count", "plays": "play_count",
                          "real_reach": "reach", "real_impressions": "impressions", "saves": "saved",
                          "shares": "shares", "swipe_ups": "swipe_up", "story_exits": "tap_exit",
                          "story_back_taps": "tap_back", "story_forward_taps": "tap_forward"}.items():  # fmt: skip
            value = whole(metrics.get(key))
            if value is not None:
                row[name] = value
    for days in read.values():
        for row in days.values():
            plays, views = row.get("plays"), row.get("view_count")
            row["views"] = views if views else plays if plays is not None else views
    return read


def walk(days: Days, end: date) -> Iterator[tuple[date, Row, Row | None]]:
    """Each day from the first reading to `end`: what is known by then, and what was read that day."""
    insights = [row["real_reach"] for row in days.values() if (row.get("real_reach") or 0) > 0]
    known: Row = dict.fromkeys((*FILLED, *CARRIED))
    day = min(days)
    while day <= end:
        read = days.get(day)
        if read is not None:
            for name in (*FILLED, *CARRIED):
                if read.get(name) is not None and (read[name] > 0 or not (known[name] or 0) > 0):
                    known[name] = read[name]
            known["read_at"] = read["read_at"]
        row = dict(known)
        if not (row["real_reach"] or 0) > 0 and (row["plays"] or 0) > 0 and insights:
            row["real_reach"] = min(insights)
        yield day, row, read
        day += timedelta(days=1)


def gap_filling(members: list[Row], read: dict[Post, Days], ends: dict[Collection, date]) -> dict[tuple, Row]:
    until: dict[Post, date] = {}
    for member in members:
        post = (member["platform"], member["post_short_code"])
        if post in read:
            end = ends[member["collection_type"], member["collection_id"]]
            until[post] = max(until.get(post, end), end)
    return {
        (*post, day): {"platform": post[0], "post_short_code": post[1], "stats_date": day}
        | {name: row[name] for name in FILLED}
        for post, end in until.items()
        for day, row, seen in walk(read[post], end)
        if seen is None or any(row[name] != seen.get(name) for name in FILLED)
    }


# --- series -----------------------------------------------------------------------------------------------------------


def daily_series(
    client: Client,
    members: list[Row],
    read: dict[Post, Days],
    ends: dict[Collection, date],
    clicks: dict[int, Row],
) -> dict[tuple, Row]:
    owners = accounts(client)
    followers = follower_days(client)
    series = {}
    for member in members:
        post = (member["platform"], member["post_short_code"])
        if post not in read:
            continue
        owner = (member["platform"], member["profile_id"])
        account = owners.get(owner, {"handle": None, "name": None, "followers": None})
        counted = followers.get(owner, [])
        youtube = member["platform"] == "YOUTUBE"
        handle = member["profile_id"] if youtube else account["handle"] or member["post_handle"]
        for day, row, _ in walk(read[post], ends[member["collection_type"], member["collection_id"]]):
            then = next((count for counted_on, count in reversed(counted) if counted_on <= day), account["followers"])
            engagement = added(row["likes"], row["comments"])
            reach, impressions = (row["views"], row["views"]) if youtube else estimates(member["post_type"], row, then)
            key = (member["collection_type"], member["collection_id"], *post, member["item"], day)
            series[key] = {
                **{name: row[name] for name in (*FILLED, *CARRIED)},
                **clicks.get(member["item"], no_clicks()),
                "platform": post[0],
                "post_short_code": post[1],
                "post_collection_item_id": member["item"],
                "post_type": member["post_type"],
                "post_title": member["post_title"],
                "post_link": address(*post),
                "post_thumbnail": member["thumbnail"],
                "hashtags": hashtags(member["described"]),
                "keywords": keywords(member["described"]),
                "published_at": member["published_at"],
                "profile_social_id": member["profile_id"],
                "profile_handle": handle,
                "post_handle": member["post_handle"],
                "profile_name": account["name"] or (None if youtube else handle),
                "collection_type": member["collection_type"],
                "collection_id": member["collection_id"],
                "followers": then,
                "stats_date": day,
                "reach": reach,
                "impressions": impressions,
                "total_engagement": engagement,
                "engagement_rate": rate(engagement, reach),
                "updated_at": row["read_at"],
            }
    return series


def accounts(client: Client) -> dict[Post, Row]:
    """Names and present followers by platform and profile: the row that was scraped last."""
    found = {}
    for profile, rows in grouped(source_rows(client, "beat_replica.instagram_account"), "profile_id").items():
        row = newest(rows)
        found["INSTAGRAM", profile] = {
            "handle": row["handle"] or None, "name": row["full_name"] or None, "followers": row["followers"]
        }  # fmt: skip
    for channel, rows in grouped(source_rows(client, "beat_replica.youtube_account"), "channel_id").items():
        row = newest(rows)
        found["YOUTUBE", channel] = {
            "handle": None, "name": row["custom_url"] or row["title"] or None, "followers": row["subscribers"]
        }  # fmt: skip
    return found


def newest(rows: Iterable[Row]) -> Row:
    return max(rows, key=lambda row: (row["updated_at"] or EARLIEST, row["id"]))


def follower_days(client: Client) -> dict[Post, list[tuple[date, int]]]:
    """Last count of each day, by platform and profile, in order of days."""
    counts: dict[Post, dict[date, int]] = defaultdict(dict)
    for event in sorted(
        source_rows(client, "_e.profile_log_events"), key=lambda event: (event["event_timestamp"], event["event_id"])
    ):
        if event["source"].startswith("openapi_") or not event["profile_id"]:
            continue
        metrics = json.loads(event["metrics"] or "{}")
        count = whole(metrics.get("followers"))
        count = whole(metrics.get("subscriber_count")) if count is None else count
        if count is not None:
            counts[event["platform"], event["profile_id"]][event["event_timestamp"].date()] = count
    return {profile: sorted(days.items()) for profile, days in counts.items()}


def estimates(post_type: str | None, row: Row, followers: int | None) -> tuple[float | None, float | None]:
    """Reach and impressions of an Instagram post: insights, else the model."""
    reach = impressions = None
    if post_type == "reels":
        if row["plays"] is not None:
            impressions = max(float(row["plays"]), 0.0)
            if followers is not None:
                reach = max(row["plays"] * (0.94 - 0.001 * math.log2(max(followers, 1))), 0.0)
    elif row["likes"] is not None:
        likes = row["likes"]
        reach = max((7.6 - 0.7 * math.log10(likes)) * 0.85 * likes, 0.0) if likes > 0 else 0.0
        impressions = max((7.6 - 0.75 * math.log10(likes)) * 0.95 * likes, 0.0) if likes > 0 else 0.0
    return row["real_reach"] or reach, row["real_impressions"] or impressions


# --- clicks and orders ------------------------------------------------------------------------------------------------


def item_clicks(client: Client, members: list[Row], *, by_hand: bool) -> dict[int, Row]:
    clicked: dict[str, int] = defaultdict(int)
    for row in source_rows(client, "campaign_replica.link_clicks"):
        clicked[bare(row["url"])] += row["unique_clicks"]
    ordered: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(ORDERS, 0))
    for row in source_rows(client, "campaign_replica.link_clicks_orders"):
        for name, column in ORDERS.items():
            ordered[bare(row["link"])][name] += row[column]
    counted: dict[tuple[str, str], int] = defaultdict(int)
    if by_hand:
        for row in source_rows(client, "ds.campaign_post_links_clicks"):
            key = (row["post_collection_id"], row["short_code"])
            counted[key] = max(counted[key], row["Clicks"] or 0)
    found = {}
    for member in members:
        if member["collection_type"] == "POST":
            links = item_links(member["links"])
            clicks = max(sum(clicked[link] for link in links), 0)
            found[member["item"]] = {
                "link_clicks": max(clicks, counted[member["collection_id"], member["post_short_code"]]),
                **{name: sum(ordered[link][name] for link in links) for name in ORDERS},
            }
    return found


def daily_clicks(client: Client, today: date) -> dict[tuple, Row]:
    """mart_collection_clicks_ts by platform, collection, short code and day."""
    clicked: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in source_rows(client, "campaign_replica.link_clicks"):
        if date(2020, 1, 1) <= row["d"] <= today:
            clicked[bare(row["url"])][row["d"]] += row["unique_clicks"]
    newest_items = {}
    for item in sorted(source_rows(client, "coffee_replica.post_collection_item"), key=lambda item: item["id"]):
        if item["enabled"] == 1 and item["show_in_report"] == 1 and item["post_collection_id"] and item["short_code"]:
            newest_items[item["platform"], item["post_collection_id"], item["short_code"]] = item
    links = {post: item_links(item["sponsor_links"]) for post, item in newest_items.items()}
    of_collection: dict[tuple, set[str]] = defaultdict(set)
    for (platform, collection, _), found in links.items():
        of_collection[platform, collection] |= found
    rows = {}
    for (platform, collection, code), item in newest_items.items():
        for day in {day for link in links[platform, collection, code] for day in clicked[link]}:
            rows[platform, collection, code, day] = {
                "platform": platform,
                "collection_id": collection,
                "collection_type": "POST",
                "profile_handle": item["posted_by_handle"] or None,
                "post_short_code": code,
                "stats_date": day,
                "clicks": sum(clicked[link].get(day, 0) for link in links[platform, collection, code]),
                "clicks_cumul": sum(
                    clicks
                    for link in of_collection[platform, collection]
                    for clicked_on, clicks in clicked[link].items()
                    if clicked_on <= day
                ),
            }
    return rows


def item_links(text: str | None) -> set[str]:
    return {bare(link) for link in json.loads(text or "[]")} - {""}


def no_clicks() -> Row:
    return {"link_clicks": 0, **dict.fromkeys(ORDERS, 0)}


def bare(link: str) -> str:
    """A link without scheme and slash at the end, host in lower case."""
    link = link.strip()
    parts = urlsplit(link if "://" in link else f"https://{link}")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.netloc.lower()}{parts.path}{query}".rstrip("/")


# --- summary ----------------------------------------------------------------------------------------------------------


def latest(
    client: Client, members: list[Row], series: dict[tuple, Row], clicks: dict[int, Row], starts: dict[str, datetime]
) -> dict[tuple, Row]:
    account_rows = source_rows(client, "beat_replica.instagram_account")
    by_handle = {handle: newest(rows) for handle, rows in grouped(account_rows, "handle").items()}
    by_id = {profile: newest(rows) for profile, rows in grouped(account_rows, "profile_id").items()}
    last_day: dict[tuple, Row] = {}
    for (kind, collection, platform, code, _, day), row in series.items():
        key = (kind, platform, collection, code)
        if key not in last_day or last_day[key]["stats_date"] < day:
            last_day[key] = row
    summary = {}
    for member in sorted(members, key=lambda member: member["item"]):  # the newest item of a post comes last
        key = (member["collection_type"], member["platform"], member["collection_id"], member["post_short_code"])
        day = last_day.get(key, {})
        if member["collection_type"] == "PROFILE" and not day:
            continue
        instagram = member["platform"] == "INSTAGRAM"
        account = {}
        if instagram and member["profile_id"]:
            account = by_id.get(member["profile_id"], {})
        elif instagram:
            account = by_handle.get((member["posted_by_handle"] or "").lower(), {})
        typed = None if member["profile_id"] else member["posted_by_handle"]
        known = account.get("handle") if member["profile_id"] else None
        handle = day.get("profile_handle") or known or member["post_handle"] or typed
        followers = day.get("followers")
        row = {name: day.get(name) for name in ("views", "likes", "comments", "plays", *CARRIED, "total_engagement")}
        row |= {name: member[name] for name in ("platform", "collection_type", "collection_id", "post_short_code",
                                                "post_type", "post_title")}  # fmt: skip
        reach, impressions = day.get("reach"), day.get("impressions")
        if member["post_type"] == "story" and instagram and member["collection_type"] == "POST":
            reach, impressions = story(member, day, starts.get(member["collection_id"]))
        summary[key] = row | clicks.get(member["item"], no_clicks()) | {
            "post_collection_item_id": member["item"],
            "profile_social_id": member["profile_id"] or account.get("profile_id") or None,
            "post_link": member["post_link"] or address(member["platform"], member["post_short_code"]),
            "post_thumbnail": member["thumbnail"] or member["post_thumbnail"],
            "hashtags": hashtags(member["described"]),
            "keywords": keywords(member["described"]),
            "published_at": member["published_at"] or member["added_at"],
            "profile_handle": handle,
            "profile_name": day.get("profile_name") or handle,
            "followers": account.get("followers") if followers is None else followers,
            "reach": reach,
            "impressions": impressions,
            "engagement_rate": rate(row["total_engagement"], reach),
        }  # fmt: skip
    return summary


def story(member: Row, day: Row, started: datetime | None) -> tuple[float | None, float | None]:
    """Reach and impressions of a story: insights, else the model."""
    reach, impressions = day.get("real_reach") or None, day.get("real_impressions") or None
    followers, engagement = member["story_followers"], member["story_engagement"]
    if reach is None and followers is not None and engagement is not None:
        percent = engagement + (2 if member["added_at"] is None or member["added_at"] >= UPLIFT_FROM else 0)
        if percent > 0:
            modelled = -0.000025017 * followers + 1.11 * followers * abs(math.log2(percent)) * 2 / 100
            reach = max(float(round(modelled)), 0.0)
    if impressions is None and reach is not None and started is not None and started >= IMPRESSIONS_FROM:
        impressions = float(round(reach * (1.02 + (reach % 10) / 100)))
    return reach, impressions


def oldest_items(members: list[Row]) -> dict[str, datetime]:
    starts: dict[str, datetime] = {}
    for member in members:
        if member["collection_type"] == "POST" and member["added_at"] is not None:
            known = starts.get(member["collection_id"], member["added_at"])
            starts[member["collection_id"]] = min(known, member["added_at"])
    return starts


# --- small things -----------------------------------------------------------------------------------------------------


def whole(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return math.trunc(value)


def added(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def rate(engagement: int | None, reach: float | None) -> float | None:
    if engagement is None or not reach:
        return None
    found = engagement / reach
    return found if found < 100_000 else None


def address(platform: str, code: str) -> str:
    return f"https://www.youtube.com/watch?v={code}" if platform == "YOUTUBE" else f"https://instagram.com/p/{code}"
