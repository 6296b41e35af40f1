"""Hashtags of posts and profiles, and the languages of captions, computed a second time, in plain Python.

No expression is shared with the SQL: it looks for patterns, this walks through the characters.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.gcc_social.leaderboard_accounts import EARLIEST, Row, source_rows

Rows = dict[Any, Row]

COMMON_WORDS = Path(__file__).resolve().parents[2] / "gcc_social" / "seeds" / "devanagari_words.csv"
SCRIPTS = {"BENGALI": "bn", "DEVANAGARI": "hi or mr", "KANNADA": "kn", "LATIN": "other", "TAMIL": "ta", "TELUGU": "te"}


def tags_of(caption: str) -> list[str]:
    """Each # with the letters, marks, digits and underscores behind it."""
    found, at = [], caption.find("#")
    while at >= 0:
        end = at + 1
        while end < len(caption) and (unicodedata.category(caption[end])[0] in "LMN" or caption[end] == "_"):
            end += 1
        if end > at + 1:
            found.append(caption[at:end])
        at = caption.find("#", end)
    return found


def _scraped_posts(client: Client) -> dict[str, Row]:
    """profile_id, handle and caption of each post: the latest that is known of each."""
    versions: dict[str, list[Row]] = defaultdict(list)
    for row in source_rows(client, "beat_replica.instagram_post_simple"):
        if row["shortcode"]:
            versions[row["shortcode"]].append(row)
    posts = {}
    for shortcode, rows in versions.items():
        rows.sort(key=lambda row: (row["updated_at"] or row["created_at"] or EARLIEST, row["id"]), reverse=True)
        posts[shortcode] = {
            "profile_id": next((row["profile_id"] for row in rows if row["profile_id"]), None),
            "handle": next((row["handle"] for row in rows if row["handle"]), None),
            "caption": next((row["caption"] for row in rows if row["caption"] is not None), None),
        }
    return posts


def post_hashtags(client: Client) -> Rows:
    return {
        shortcode: {
            "profile_id": post["profile_id"],
            "handle": post["handle"],
            "shortcode": shortcode,
            "hashtags": tags_of(post["caption"] or ""),
            "hashtags_l": [tag.lower() for tag in tags_of(post["caption"] or "")],
        }
        for shortcode, post in _scraped_posts(client).items()
    }


def profile_hashtags(client: Client) -> Rows:
    used: dict[str, Counter] = defaultdict(Counter)
    for post in post_hashtags(client).values():
        if post["profile_id"]:
            used[post["profile_id"]].update(post["hashtags_l"])
    rows = {}
    for profile_id, times in used.items():
        if times:
            first = sorted(times.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
            rows[profile_id] = {
                "platform": "INSTAGRAM",
                "platform_id": profile_id,
                "hashtags": [tag for tag, _ in first],
                "hashtags_counts": [count for _, count in first],
            }
    return rows


def caption_languages(client: Client) -> Rows:
    words = {row["word"]: row["language"] for row in csv.DictReader(COMMON_WORDS.read_text().splitlines())}
    by_profile: dict[str, Counter] = defaultdict(Counter)
    latest: dict[int, Row] = {}
    for row in source_rows(client, "beat_replica.instagram_post_simple"):
        latest[row["id"]] = row
    told = {
        (row["profile_id"], row["shortcode"], _language(row["caption"] or "", words))
        for row in latest.values()
        if row["profile_id"] and row["shortcode"]
    }
    for profile_id, _, code in told:
        if code:
            by_profile[profile_id][code] += 1
    rows = {}
    for profile_id, posts in by_profile.items():
        code, most = posts.most_common(1)[0]
        if code in ("bn", "ta", "te", "mr", "kn", "hi") and most >= 5 and most * 2 > posts.total():
            rows[profile_id] = {"profile_id": profile_id, "lang": code}
    return rows


def _language(caption: str, words: dict[str, str]) -> str | None:
    """Code of the language that a caption without tags, names and links is written in; None when nothing tells."""
    plain = " ".join(word for word in caption.split() if "://" not in word)
    for mark in "#@":
        plain = " ".join(part for word in plain.split() for part in word.split(mark)[:1])
    scripts: Counter = Counter()
    for letter in plain:
        script = unicodedata.name(letter, "?").split()[0]
        if script in SCRIPTS and "DANDA" not in unicodedata.name(letter):
            scripts[script] += 1
        elif unicodedata.category(letter).startswith("L"):
            scripts["other"] += 1
    first = scripts.most_common(2)
    if not first or (len(first) == 2 and first[0][1] == first[1][1]):
        return None
    code = SCRIPTS.get(first[0][0], "other")
    if code == "bn" and set(plain) & set("ৰৱ"):
        return "as"
    if code == "hi or mr":
        letters = "".join(letter if unicodedata.name(letter, "?").startswith("DEVANAGARI") else " " for letter in plain)
        votes = Counter(words[word] for word in letters.replace("।", " ").split() if word in words)
        if votes["hi"] == votes["mr"]:
            return "mr" if "ळ" in plain else None
        return votes.most_common(1)[0][0]
    return code
