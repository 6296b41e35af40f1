"""Instagram accounts, YouTube channels and their links, from the source rows in plain Python.

Of the models only the three small ones are read whose guesses fill in what nobody states of an account; they have
checks of their own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from dateutil import parser as dates

Row = dict[str, Any]
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

# YouTube's label -> category of the product, for the labels that the synthetic world has.
CATEGORY_NAMES = {
    "Film & Animation": "Films",
    "Autos & Vehicles": "Autos & Vehicles",
    "Music": "Music",
    "Pets & Animals": "Pets & Animals",
    "Sports": "Sports",
    "Travel & Events": "Events",
    "Gaming": "Gaming",
    "People & Blogs": "People & Culture",
    "Comedy": "Comedy",
    "Entertainment": "Entertainment",
    "News & Politics": "News & Politics",
    "Howto & Style": "DIY",
    "Education": "Education",
    "Science & Technology": "Science & Technology",
    "Nonprofits & Activism": "Non profits",
}


def source_rows(client: Client, table: str) -> list[Row]:
    """All rows of a source table; times are in UTC."""
    found = client.query(f"select * from {table}")
    return [
        {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in found.named_results()
    ]


def integer(text: str | int | None) -> int | None:
    """The number that a text spells, None when it spells none."""
    if text is None or isinstance(text, int):
        return text
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() else None


def language(code: str | None) -> str | None:
    plain = (code or "").strip().lower().split("-")[0]
    return {"": None, "ka": "kn"}.get(plain, plain)


def known(values: Iterable[str | None]) -> str | None:
    """The largest value that is none of the dumps' ways to say nothing."""
    return max((value for value in values if value not in (None, "", "NULL")), default=None)


def grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[column]:
            groups[row[column]].append(row)
    return groups


def newest(rows: list[Row]) -> Row:
    return max(rows, key=lambda row: (row["updated_at"] or EARLIEST, row["id"]))


def instagram_accounts(client: Client) -> dict[str, Row]:
    """handle, country, language, category, profile_type and followers by Instagram user id."""
    labels = {str(row["id"]): row["category"] for row in source_rows(client, "vidooly.category")}
    directory = grouped(source_rows(client, "vidooly.social_profiles_new_20230217"), "instagram_userid")
    dump = grouped(source_rows(client, "vidooly.instagram_profiles"), "profile_id")
    predicted = {}
    for row in source_rows(client, "ds.categorization_zsl"):
        sure = [found[0][0] for found in (row["cat_from_ig_cat"], row["cat_from_bio"]) if found and found[0][1] > 0.9]
        if sure:
            predicted[row["profile_id"]] = sure[0]
    accounts = {}
    for profile, rows in grouped(source_rows(client, "beat_replica.instagram_account"), "profile_id").items():
        row = newest(rows)
        listed = directory.get(profile, [])
        indian = "IN" if known(entry["country"] for entry in listed) == "IN" else None
        accounts[profile] = {
            "handle": row["handle"] or None,
            "country": row["country"] or indian or known(entry["country"] for entry in dump.get(profile, [])),
            "language": language(row["language"]),
            "seen": (row["updated_at"] or EARLIEST, profile),
            "category": labels.get(known(entry["ccatid"] for entry in listed) or "") or predicted.get(profile),
            "linked_category": None,
            "profile_type": row["account_type"] or "CREATOR",
            "followers": row["followers"],
        }
    show(client, accounts)
    return accounts


def show(client: Client, accounts: dict[str, Row]) -> None:
    """Make of scraped accounts those that the product shows: one holder per user name, guesses where a fact lacks."""
    holders = {}
    for profile in sorted(accounts, key=lambda profile: accounts[profile]["seen"]):
        holders[accounts[profile]["handle"]] = profile
    guesses = {row["handle"]: row for row in model_rows(client, "mart_instagram_gpt_basic_data")}
    captions = {row["profile_id"]: row["lang"] for row in model_rows(client, "mart_insta_predicted_lang")}
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for post in model_rows(client, "mart_post_location"):
        places[post["profile_id"]][post["short_code"]].append(post["location"])
    for profile, account in accounts.items():
        if holders[account["handle"]] != profile:
            account["handle"] = None
        guess = guesses.get(account["handle"], {})
        posts = places.get(profile, {}).values()
        indian = [seen for seen in posts if any(re.search(r"\bindia\W*$", place, re.IGNORECASE) for place in seen)]
        mostly_indian = 2 * len(indian) > len(posts)
        account["country"] = account["country"] or guess.get("country") or ("IN" if mostly_indian else None)
        account["language"] = account["language"] or guess.get("language") or captions.get(profile) or "en"


def model_rows(client: Client, model: str) -> list[Row]:
    """All rows of a model; none when no tier has built it."""
    return source_rows(client, f"dbt.{model}") if client.command(f"exists table dbt.{model}") else []


def youtube_accounts(client: Client) -> dict[str, Row]:
    """country, language, category, profile_type and followers by channel id."""
    labels = {str(row["id"]): row["category"] for row in source_rows(client, "vidooly.category")}
    own_labels = {str(row["id"]): row["category"] for row in source_rows(client, "vidooly.youtube_category")}
    directory = grouped(source_rows(client, "vidooly.social_profiles_new_20230217"), "youtube_userid")
    scraped = grouped(source_rows(client, "beat_replica.youtube_account"), "channel_id")
    snapshots = grouped(source_rows(client, "vidooly.youtube_channels"), "id")
    spoken = spoken_languages(client)
    accounts = {}
    for channel in scraped.keys() | snapshots.keys():
        row = newest(scraped[channel]) if channel in scraped else {}
        feeds = []
        if row:
            country = "IN" if row["country"] == "India" else row["country"] or None
            feeds.append((row["updated_at"] or EARLIEST, 1, country, row["subscribers"]))
        if channel in snapshots:
            seen, _, snapshot = max(
                (parsed(snapshot["last_updated_at"]), snapshot["_path"], snapshot) for snapshot in snapshots[channel]
            )
            feeds.append((seen, 0, snapshot["country"] or None, integer(snapshot["subscriber_count"])))
        feeds.sort(reverse=True, key=lambda feed: feed[:2])
        listed = directory.get(channel, [])
        own = own_labels.get(known(entry["youtube_category"] for entry in listed) or "")
        accounts[channel] = {
            "country": row.get("tagged_country") or next((feed[2] for feed in feeds if feed[2]), None),
            "language": language(row.get("language"))
            or spoken.get(channel)
            or max((code for code in (language(entry["language"]) for entry in listed) if code), default=None),
            "category": labels.get(known(entry["ccatid"] for entry in listed) or "") or CATEGORY_NAMES.get(own),
            "profile_type": row.get("account_type") or "CREATOR",
            "followers": next((feed[3] for feed in feeds if feed[3] is not None), None),
        }
    return accounts


def parsed(text: str | None) -> datetime:
    return dates.parse(text).replace(tzinfo=UTC) if text else EARLIEST


def spoken_languages(client: Client) -> dict[str, str]:
    """The audio language of more than half of a channel's videos and of at least 5 of them."""
    videos: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in source_rows(client, "beat_replica.youtube_post_simple"):
        code = language(row["audio_language"])
        if row["channel_id"] and code and code != "zxx":
            videos[row["channel_id"]][code].add(row["shortcode"])
    spoken = {}
    for channel, by_language in videos.items():
        total = sum(len(found) for found in by_language.values())
        for code, found in by_language.items():
            if len(found) >= 5 and len(found) * 2 > total:
                spoken[channel] = code
    return spoken


def linked(client: Client, profiles: dict[str, Row], channels: dict[str, Row]) -> dict[str, str]:
    """Profile by channel, one-to-one; writes each linked profile's `linked_category`."""
    pairs = {
        (row["youtube_userid"], row["instagram_userid"])
        for row in source_rows(client, "vidooly.social_profiles_new_20230217")
        if row["youtube_userid"] in channels and row["instagram_userid"] in profiles
    }
    wanted: dict[str, tuple[int, str]] = {}
    for channel, profile in pairs:
        one, other = channels[channel], profiles[profile]
        if other["handle"] and one["country"] == other["country"] == "IN" and one["followers"] and other["followers"]:
            wanted[profile] = max(wanted.get(profile, (0, "")), (one["followers"], channel))
    given: dict[str, tuple[int, str]] = {}
    for profile, (_, channel) in wanted.items():
        given[channel] = max(given.get(channel, (0, "")), (profiles[profile]["followers"], profile))
    for channel, (_, profile) in given.items():
        profiles[profile]["linked_category"] = channels[channel]["category"]
    return {channel: profile for channel, (_, profile) in given.items()}
