"""Which posts are in which collections, and what the scraper knows of them: from the source rows, in plain Python."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.gcc_social.leaderboard_accounts import EARLIEST, Row, grouped, source_rows

CDN = "https://assets.example"
LIST_DAYS = timedelta(days=365)

Post = tuple[str, str]  # platform, short code


def production_members(client: Client, run_time: datetime) -> list[Row]:
    lists = {
        row["id"] for row in source_rows(client, "coffee_replica.profile_collection") if row["source"] == "SAAS-AT"
    }
    instagram = {row["id"]: row["ig_id"] for row in source_rows(client, "coffee_replica.view_instagram_account_lite")}
    youtube = {row["id"]: row["channel_id"] for row in source_rows(client, "coffee_replica.view_youtube_account_lite")}
    account = {"INSTAGRAM": instagram, "YOUTUBE": youtube}
    profiles = {
        (str(row["profile_collection_id"]), row["platform"],
         account[row["platform"]].get(row["platform_account_code"]) or row["profile_social_id"])
        for row in source_rows(client, "coffee_replica.profile_collection_item")
        if row["profile_collection_id"] in lists and row["enabled"] == 1 and not row["hidden"]
    }  # fmt: skip
    return members(client, run_time, source_rows(client, "coffee_replica.post_collection_item"), profiles)


def staging_members(client: Client, run_time: datetime) -> list[Row]:
    profiles = {
        (str(row["profile_collection_id"]), row["platform"], row["profile_social_id"])
        for row in source_rows(client, "coffee_stage.profile_collection_item")
        if row["shortlist_id"] is None and row["profile_collection_id"] is not None
    }
    return members(client, run_time, source_rows(client, "coffee_stage.post_collection_item"), profiles)


def members(client: Client, run_time: datetime, items: list[Row], profiles: set[tuple]) -> list[Row]:
    """One row per collection, post and item, with the attributes of the post."""
    posts = attributes(client)
    owned: dict[Post, list[Row]] = defaultdict(list)
    for post in posts.values():
        owned[post["platform"], post["profile_id"]].append(post)
    found = []
    for item in items:
        if item["enabled"] != 1 or not item["short_code"] or not item["post_collection_id"]:
            continue
        post = posts.get((item["platform"], item["short_code"])) or unknown_post(item["platform"], item["short_code"])
        kind = post["post_type"] or item["post_type"] or ("video" if item["platform"] == "YOUTUBE" else None)
        found.append(
            post
            | {"collection_type": "POST", "collection_id": item["post_collection_id"], "item": item["id"]}
            | {"post_type": kind, "links": item["sponsor_links"], "added_at": item["created_at"]}
            | {name: item[name] or None for name in ("posted_by_handle", "post_link", "post_thumbnail")}
        )
    for collection, platform, profile in profiles:
        for post in owned[platform, profile] if profile else ():
            if post["published_at"] is None or post["published_at"] >= run_time - LIST_DAYS:
                kind = post["post_type"] or ("video" if platform == "YOUTUBE" else None)
                found.append(
                    post
                    | {"collection_type": "PROFILE", "collection_id": collection, "item": 0}
                    | {"post_type": kind, "links": None, "added_at": None}
                    | dict.fromkeys(("posted_by_handle", "post_link", "post_thumbnail"))
                )
    return found


def attributes(client: Client) -> dict[Post, Row]:
    """What the scraper knows of each post, by platform and short code."""
    pictures = {}
    for row in sorted(
        source_rows(client, "beat_replica.asset_log"), key=lambda row: (row["updated_at"] or EARLIEST, row["id"])
    ):
        if row["entity_type"] == "POST" and row["asset_type"] == "IMAGE" and row["asset_url"]:
            pictures[row["entity_id"]] = f"{CDN}/{row['asset_url'].lstrip('/')}"
    posts = {}
    for code, versions in grouped(source_rows(client, "beat_replica.instagram_post_simple"), "shortcode").items():
        of = latest_known(versions)
        posts["INSTAGRAM", code] = unknown_post("INSTAGRAM", code) | {
            "profile_id": of("profile_id"),
            "post_handle": of("handle"),
            "post_type": of("post_type"),
            "post_title": of("caption"),
            "described": of("caption") or "",
            "thumbnail": pictures.get(code) or of("display_url"),
            "published_at": of("publish_time"),
            "story_followers": of("profile_follower"),
            "story_engagement": of("profile_er"),
        }
    for code, versions in grouped(source_rows(client, "beat_replica.youtube_post_simple"), "shortcode").items():
        of = latest_known(versions)
        picture = of("thumbnail")
        for small in ("/default.jpg", "/default_live.jpg"):
            if picture and picture.endswith(small):
                picture = picture.removesuffix(small) + small.replace("default", "hqdefault")
        posts["YOUTUBE", code] = unknown_post("YOUTUBE", code) | {
            "profile_id": of("channel_id"),
            "post_handle": of("channel_id"),
            "post_type": of("post_type"),
            "post_title": of("title"),
            "described": of("description") or "",
            "thumbnail": picture,
            "published_at": of("published_at"),
        }
    return posts


def latest_known(versions: list[Row]) -> Callable[[str], Any]:
    """Reads the newest value of a column that is not missing."""
    newest_first = sorted(
        versions, key=lambda row: (row["updated_at"] or row["created_at"] or EARLIEST, row["id"]), reverse=True
    )
    return lambda column: next((row[column] for row in newest_first if row[column] not in (None, "")), None)


def unknown_post(platform: str, code: str) -> Row:
    nothing = dict.fromkeys(
        ("profile_id", "post_handle", "post_type", "post_title", "thumbnail", "published_at", "story_followers",
         "story_engagement")
    )  # fmt: skip
    return {"platform": platform, "post_short_code": code, "described": ""} | nothing


def in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def hashtags(text: str) -> list[str]:
    found, position = [], 0
    while position < len(text):
        end = position + 1
        if text[position] == "#":
            while end < len(text) and (in_word(text[end]) or text[end] == "_"):
                end += 1
            if end > position + 1:
                found.append(text[position:end])
        position = end
    return found


def keywords(text: str) -> list[str]:
    words = "".join(character if in_word(character) else " " for character in text).split()
    return [word for word in words if len(word) >= 4]
