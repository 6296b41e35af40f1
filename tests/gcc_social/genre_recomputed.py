"""Trending posts and the genre overview computed a second time, in plain Python.

Posts, counters by month and links come from the source rows. Attributes of accounts and shares of audiences come from
the marts that own them, which have recomputations of their own; no expression is shared with the SQL under test.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.gcc_social.leaderboard_accounts import (
    EARLIEST,
    Row,
    grouped,
    instagram_accounts,
    language,
    linked,
    source_rows,
    youtube_accounts,
)
from tests.gcc_social.leaderboard_recomputed import FIRST_MONTH, instagram_months, profile_days, youtube_months

TOP = 500
LANGUAGES = ("en", "bn", "ta", "te", "mr", "kn", "hi")
BANDS = ("13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
UNKNOWN_MONTH = date(2000, 1, 1)
DIMENSIONS = ("month", "language", "category", "profile_type", "platform")

Posts = dict[str, Row]  # by shortcode
Rollups = dict[tuple[str, ...], Row]  # by DIMENSIONS


def accounts(client: Client, platform: str) -> dict[str, Row]:
    """country, language, category, profile_type and followers by id, of the account mart."""
    key, tongue, category, mart = {
        "INSTAGRAM": ("ig_id", "primary_language", "primary_category", "mart_instagram_account"),
        "YOUTUBE": ("channel_id", "language", "category", "mart_youtube_account"),
    }[platform]
    found = client.query(f"select {key}, country, {tongue}, {category}, profile_type, followers from dbt.{mart}")
    names = ("country", "language", "category", "profile_type", "followers")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in found.result_rows}


# --- trending ---------------------------------------------------------------------------------------------------------


def trending(client: Client) -> dict[tuple[str, str], Row]:
    """Rows of mart_genre_trending_content by (platform, short_code)."""
    return {("INSTAGRAM", code): row for code, row in reels(client).items()} | {
        ("YOUTUBE", code): row for code, row in videos(client).items()
    }


def newest_posts(client: Client, table: str) -> Posts:
    versions = grouped(source_rows(client, table), "shortcode")
    return {
        code: max(rows, key=lambda row: (row["updated_at"] or row["created_at"] or EARLIEST, row["id"]))
        for code, rows in versions.items()
    }


def placed(posts: list[Row], metric: str) -> list[Row]:
    """The first TOP posts of each month and category, with their place."""
    groups: dict[tuple, list[Row]] = defaultdict(list)
    for post in posts:
        groups[post["month"], post["category"]].append(post)
    return [
        post | {"place": place}
        for group in groups.values()
        for place, post in enumerate(
            sorted(group, key=lambda post: (post[metric], post["short_code"]), reverse=True)[:TOP], start=1
        )
    ]


def common(post: Row, account: Row, owner: str, published: str) -> Row:
    known = None not in (post["likes"], post["comments"])
    return {
        "short_code": post["shortcode"],
        "profile_id": post[owner],
        "month": post[published].date().replace(day=1) if post[published] else UNKNOWN_MONTH,
        "category": account["category"] or None,
        "language": account["language"] or None,
        "profile_type": account["profile_type"] or "CREATOR",
        "publish_time": post[published],
        "engagement": post["likes"] + post["comments"] if known else None,
        **{name: post[name] for name in ("likes", "comments", "post_type", "views")},
    }


def reels(client: Client) -> Posts:
    profiles = accounts(client, "INSTAGRAM")
    pictures: dict[str, Row] = {}
    for asset in sorted(source_rows(client, "beat_replica.asset_log"), key=lambda row: (row["updated_at"], row["id"])):
        if (asset["entity_type"], asset["asset_type"]) == ("POST", "IMAGE") and asset["asset_url"]:
            pictures[asset["entity_id"]] = asset
    competing = []
    for code, post in newest_posts(client, "beat_replica.instagram_post_simple").items():
        account = profiles.get(post["profile_id"])
        played = post["post_type"] == "reels" and (post["plays"] or 0) > 0 and (post["likes"] or 0) > 0
        if account and account["country"] == "IN" and played:
            stored = f"https://assets.example/{pictures[code]['asset_url']}" if code in pictures else None
            competing.append(
                common(post, account, "profile_id", "publish_time")
                | {
                    "title": post["caption"],
                    "description": post["caption"],
                    "plays": post["plays"],
                    "reach": post["reach"],
                    "followers": account["followers"],
                    "thumbnail_url": stored or post["thumbnail_url"] or None,
                    "post_url": f"https://www.instagram.com/reel/{code}",
                }
            )
    rows = {}
    for post in placed(competing, "plays"):
        place, reach, followers = (post.pop(name) for name in ("place", "reach", "followers"))
        if not followers:
            continue
        estimate = round(post["plays"] * (0.94 - 0.001 * math.log2(followers)))
        views = reach if reach and reach > 0 else estimate
        rate = post["engagement"] / views if post["engagement"] is not None and views else None
        rows[post["short_code"]] = post | {
            "platform": "INSTAGRAM",
            "views": views,
            "engagement_rate": rate,
            "plays_rank": place,
            "views_rank": None,
            "views_source": "insights" if reach and reach > 0 else "estimate",
        }
    return rows


def videos(client: Client) -> Posts:
    channels = accounts(client, "YOUTUBE")
    competing = []
    for code, post in newest_posts(client, "beat_replica.youtube_post_simple").items():
        account = channels.get(post["channel_id"])
        if account and account["country"] == "IN" and (post["views"] or 0) > 0:
            picture = post["thumbnail"] or ""
            for small, large in (("/default.jpg", "/hqdefault.jpg"), ("/default_live.jpg", "/hqdefault_live.jpg")):
                if small in picture:
                    picture = picture.replace(small, large, 1)
                    break
            competing.append(
                common(post, account, "channel_id", "published_at")
                | {
                    "title": post["title"],
                    "description": post["description"],
                    "plays": None,
                    "thumbnail_url": picture or None,
                    "post_url": "https://www.youtube.com/"
                    + ("shorts/" if post["post_type"] == "short" else "watch?v=")
                    + code,
                }
            )
    rows = {}
    for post in placed(competing, "views"):
        place = post.pop("place")
        rate = post["engagement"] / post["views"] if post["engagement"] is not None else None
        rows[post["short_code"]] = post | {
            "platform": "YOUTUBE",
            "engagement_rate": rate,
            "views_rank": place,
            "plays_rank": None,
            "views_source": "platform",
        }
    return rows


# --- overview ---------------------------------------------------------------------------------------------------------


def overview(client: Client) -> Rollups:
    """Rows of mart_genre_overview by DIMENSIONS."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for entry in entries(client):
        for key in product(*((entry[name], "ALL") for name in DIMENSIONS)):
            groups[key].append(entry)
    return {key: rollup(dict(zip(DIMENSIONS, key, strict=True)), found) for key, found in groups.items()}


def entries(client: Client) -> list[Row]:
    """One per account and month, labelled."""
    profiles, channels = accounts(client, "INSTAGRAM"), accounts(client, "YOUTUBE")
    partner = {profile: channel for channel, profile in
               linked(client, instagram_accounts(client), youtube_accounts(client)).items()}  # fmt: skip
    days = profile_days(source_rows(client, "_e.profile_log_events"))
    divided = audience_shares(client)
    found = []
    for platform, months, owners in (
        ("INSTAGRAM", instagram_months(client, days), profiles),
        ("YOUTUBE", youtube_months(client, days), channels),
    ):
        for (month, account), row in months.items():
            owner = owners.get(account)
            if owner is None or owner["country"] != "IN" or month < FIRST_MONTH:
                continue
            reels = platform == "INSTAGRAM"
            before = row["prev_followers"]
            code = language(owner["language"])
            found.append(
                {
                    "platform": platform,
                    "month": month.isoformat(),
                    "account": account,
                    "creator": partner.get(account, account),
                    "language": code if code in LANGUAGES else "MISSING",
                    "category": owner["category"] or "MISSING",
                    "profile_type": owner["profile_type"] or "CREATOR",
                    "views": row["plays"] if reels else not_negative(row["views"]),
                    "likes": row["likes"] if reels else None,
                    "comments": row["comments"] if reels else None,
                    "uploads": row["uploads"] if reels else not_negative(row["uploads"]),
                    "followers": row["followers"],
                    "followers_change": None if before is None else row["followers"] - before,
                    "shares": divided.get((platform, account)),
                }
            )
    return found


def audience_shares(client: Client) -> dict[tuple[str, str], dict[str, int]]:
    """Thousandths of a percent of each age group by (platform, account), of those whose audience is divided."""
    found = client.query("select platform, platform_id, age_groups, age_group_percs from dbt.mart_audience_info")
    return {
        (platform, account): {
            group: int(Decimal(str(percent)) * 1000) for group, percent in zip(groups, percents, strict=True)
        }
        for platform, account, groups, percents in found.result_rows
        if groups
    }


def rollup(labels: dict[str, str], found: list[Row]) -> Row:
    newest = {}
    for entry in sorted(found, key=lambda entry: entry["month"]):
        newest[entry["platform"], entry["account"]] = entry
    levels = list(newest.values()) if labels["month"] == "ALL" else found
    likes, comments = total(found, "likes"), total(found, "comments")
    engagement = None if None in (likes, comments) else likes + comments
    answered = [entry for entry in found if entry["likes"] is not None or entry["comments"] is not None]
    answered_views = total(answered, "views")
    people: dict[str, int] = defaultdict(int)
    for entry in levels:
        for group, share in (entry["shares"] or {}).items():
            people[group] += share * entry["followers"]
    by_band = {letter: {band: people[f"{letter}_{band}"] for band in BANDS} for letter in "MF"}
    by_band["A"] = {band: by_band["M"][band] + by_band["F"][band] for band in BANDS}
    sums = {letter: sum(by_band[letter].values()) for letter in "MF"}
    demo = sum(entry["followers"] for entry in levels if entry["shares"])

    def percent(part: int) -> Fraction:
        return Fraction(part, 1000 * demo) if demo else Fraction(0)

    maps = {letter: {band: percent(part) for band, part in parts.items()} for letter, parts in by_band.items()}
    return labels | {
        "creators": len({entry["creator"] for entry in found}),
        "views": total(found, "views"),
        "likes": likes,
        "comments": comments,
        "engagement": engagement,
        "engagement_rate": engagement / answered_views if engagement is not None and answered_views else None,
        "followers": total(levels, "followers"),
        "followers_change": total(found, "followers_change"),
        "demo_followers": demo,
        "uploads": total(found, "uploads"),
        **{
            f"{letter.lower()}_{band.replace('-', '_').replace('+', '_plus')}": by_band[letter][band] / 100_000
            for letter in "MFA"
            for band in BANDS
        },
        "male_gender": sums["M"] / 100_000,
        "female_gender": sums["F"] / 100_000,
        "male_audience_age_gender": maps["M"],
        "female_audience_age_gender": maps["F"],
        "audience_age_gender": {"male": maps["M"], "female": maps["F"]},
        "audience_age": maps["A"],
        "audience_gender": {"male_per": percent(sums["M"]), "female_per": percent(sums["F"])},
    }


def total(found: list[Row], name: str) -> int | None:
    known = [entry[name] for entry in found if entry[name] is not None]
    return sum(known) if known else None


def not_negative(value: Any) -> int | None:
    return None if value is None else max(value, 0)
