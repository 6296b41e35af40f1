"""What a finished request leaves behind: the log events of its flow, and changed counters in the replica."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from devstack.beat import inventions, owned
from devstack.beat.assets import asset_hash, asset_key
from devstack.beat.catalogue import Catalogue
from devstack.beat.events import Message
from devstack.beat.flows import Scrapes
from devstack.beat.replica import Row
from devstack.beat.snapshots import channel_event, post_event, profile_event, video_event

RECENT_POSTS = 12
GROWTH = 0.003

PROFILE_MISSING = "(404, 'Profile not found')"
POST_MISSING = "(200, 'Post is missing')"
CHANNEL_MISSING = "(404, 'Something went wrong')"


@dataclass
class Findings:
    """Result of some scrapes: messages by request, texts of those that failed, and by table what changed."""

    messages: dict[int, list[Message]] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    changed: dict[str, list[Row]] = field(default_factory=dict)
    stored: dict[str, list[Row]] = field(default_factory=dict)  # rows of tables that Beat writes itself
    post_types: dict[str, str] = field(default_factory=dict)  # by shortcode


COUNTERS = {
    "instagram_account": ("followers",),
    "instagram_post_simple": ("likes", "comments"),
    "youtube_account": ("subscribers", "views"),
    "youtube_post_simple": ("views",),
}


def scrape(kind: Scrapes, wanted: dict[int, dict[str, object]], catalogue: Catalogue, flow: str = "") -> Findings:
    """Scrape for several requests of one kind and flow; `wanted` maps request ids to their params."""
    findings = Findings()
    if kind is Scrapes.PROFILES:
        _profiles(wanted, catalogue, findings)
    elif kind is Scrapes.POSTS:
        _single(wanted, "shortcode", catalogue.posts("shortcode", _texts(wanted, "shortcode")), findings)
    elif kind is Scrapes.CHANNELS:
        _channels(wanted, catalogue, findings)
    elif kind is Scrapes.VIDEOS:
        _videos(wanted, catalogue, findings)
    elif kind is Scrapes.STORIES:
        owned.stories(wanted, catalogue, findings)
    elif kind is Scrapes.POST_INSIGHTS:
        owned.post_insights(wanted, catalogue, findings)
    elif kind is Scrapes.POST_TYPES:
        owned.post_types(wanted, catalogue, findings)
    elif kind is Scrapes.PICTURES:
        _pictures(wanted, findings)
    elif kind in inventions.INVENTED:
        _invented(kind, _with_accounts(kind, wanted, catalogue, findings), flow, findings)
    else:
        findings.messages = {scrape_id: [] for scrape_id in wanted}
    return findings


def take_over(findings: Findings, catalogue: Catalogue) -> None:
    """Write the changed counters into the replica, one update per table."""
    for table, rows in findings.changed.items():
        complete = [row for row in rows if all(row[column] is not None for column in COUNTERS[table])]
        latest = {row["id"]: row for row in complete}
        catalogue.update(table, list(latest.values()), COUNTERS[table])
    for table, rows in findings.stored.items():
        catalogue.store(table, rows)
    catalogue.set_post_types(findings.post_types)


def _with_accounts(
    kind: Scrapes, wanted: dict[int, dict[str, object]], catalogue: Catalogue, findings: Findings
) -> dict[int, dict[str, object]]:
    """For insights: the params with id and natural key of the account; a request for an unknown one has failed."""
    if kind is Scrapes.PROFILE_INSIGHTS:
        rows = {row["handle"]: row for row in reversed(catalogue.profiles("handle", _texts(wanted, "handle")))}
        name, columns = "handle", ("id", "profile_id")
    elif kind is Scrapes.CHANNEL_INSIGHTS:
        rows = {row["channel_id"]: row for row in catalogue.channels(_texts(wanted, "channel_id"))}
        name, columns = "channel_id", ("id",)
    else:
        return wanted
    known = {number: rows[str(params[name])] for number, params in wanted.items() if str(params[name]) in rows}
    findings.failures |= {number: PROFILE_MISSING for number in wanted if number not in known}
    return {number: wanted[number] | {column: row[column] for column in columns} for number, row in known.items()}


def _invented(kind: Scrapes, wanted: dict[int, dict[str, object]], flow: str, findings: Findings) -> None:
    now = datetime.now(UTC)
    for number, params in wanted.items():
        try:
            found = inventions.invent(kind, flow, params, now)
        except (TypeError, KeyError, ValueError) as error:  # params that no flow can read fail as they do in Beat
            findings.failures[number] = str(error)
            continue
        findings.messages[number] = found.messages
        for table, rows in found.rows.items():
            findings.stored.setdefault(table, []).extend(rows)


def _pictures(wanted: dict[int, dict[str, object]], findings: Findings) -> None:
    """A copy of each picture, told by a row alone: Beat's asset processes publish nothing."""
    now = datetime.now(UTC)
    for number, params in wanted.items():
        names = ("entity_type", "entity_id", "asset_type", "original_url", "platform")
        entity, identity, kind, url, platform = (str(params[name]) for name in names)
        findings.messages[number] = []
        findings.stored.setdefault("asset_log", []).append({
            "id": asset_hash(f"{entity}/{identity}") >> 2, "entity_id": identity, "entity_type": entity,
            "platform": platform, "asset_type": kind, "asset_url": asset_key(entity, platform, identity, kind, url),
            "original_url": url, "updated_at": now, "created_at": now,
        })  # fmt: skip


def _profiles(wanted: dict[int, dict[str, object]], catalogue: Catalogue, findings: Findings) -> None:
    by_handle = {row["handle"]: row for row in reversed(catalogue.profiles("handle", _texts(wanted, "handle")))}
    by_id = {row["profile_id"]: row for row in catalogue.profiles("profile_id", _texts(wanted, "profile_id"))}
    found = {}
    for scrape_id, params in wanted.items():
        row = by_handle.get(params.get("handle")) or by_id.get(params.get("profile_id"))
        if row is None:
            findings.failures[scrape_id] = PROFILE_MISSING
        else:
            found[scrape_id] = row
    owners = sorted({str(row["profile_id"]) for row in found.values()})
    posts: dict[object, list[Row]] = {}
    for post in catalogue.posts("profile_id", owners, limit=50 * max(len(owners), 1)):
        posts.setdefault(post["profile_id"], []).append(post)
    now = datetime.now(UTC)
    for scrape_id, row in found.items():
        _grow(row, ("followers", "media_count"))
        recent = [
            _grow(post, ("likes", "comments", "plays")) for post in posts.get(row["profile_id"], [])[:RECENT_POSTS]
        ]
        # A reply that embeds posts is stored and published once before and once after the posts are read.
        snapshots = 2 if recent else 1
        findings.messages[scrape_id] = [profile_event(row, _id(), now) for _ in range(snapshots)]
        findings.messages[scrape_id] += [post_event(post, _id(), now) for post in recent]
        findings.changed.setdefault("instagram_account", []).append(row)
        findings.changed.setdefault("instagram_post_simple", []).extend(recent)


def _single(wanted: dict[int, dict[str, object]], key: str, rows: Sequence[Row], findings: Findings) -> None:
    by_key = {row["shortcode"]: row for row in rows}
    now = datetime.now(UTC)
    for scrape_id, params in wanted.items():
        row = by_key.get(params[key])
        if row is None:
            findings.failures[scrape_id] = POST_MISSING
            continue
        _grow(row, ("likes", "comments", "plays"))
        findings.messages[scrape_id] = [post_event(row, _id(), now)]
        findings.changed.setdefault("instagram_post_simple", []).append(row)


def _channels(wanted: dict[int, dict[str, object]], catalogue: Catalogue, findings: Findings) -> None:
    by_id = {row["channel_id"]: row for row in catalogue.channels(_texts(wanted, "channel_ids"))}
    now = datetime.now(UTC)
    for scrape_id, params in wanted.items():
        rows = [by_id[channel] for channel in _list(params["channel_ids"]) if channel in by_id]
        if not rows:
            findings.failures[scrape_id] = CHANNEL_MISSING
            continue
        findings.messages[scrape_id] = [
            channel_event(_grow(row, ("subscribers", "views", "uploads")), _id(), now) for row in rows
        ]
        findings.changed.setdefault("youtube_account", []).extend(rows)


def _videos(wanted: dict[int, dict[str, object]], catalogue: Catalogue, findings: Findings) -> None:
    now = datetime.now(UTC)
    for scrape_id, params in wanted.items():
        if "post_ids" in params:
            rows = catalogue.videos("shortcode", _list(params["post_ids"]))
        else:
            rows = catalogue.videos("channel_id", _list(params["channel_id"]))
        if not rows:
            findings.failures[scrape_id] = CHANNEL_MISSING
            continue
        findings.messages[scrape_id] = [video_event(_grow(row, ("views", "likes")), _id(), now) for row in rows]
        findings.changed.setdefault("youtube_post_simple", []).extend(rows)


def _grow(row: Row, counters: Sequence[str]) -> Row:
    """Change counters in place, mostly up, each that is known by at least one."""
    for counter in counters:
        if row[counter] is not None:
            change = round(row[counter] * random.gauss(GROWTH, GROWTH))
            row[counter] = max(row[counter] + (change or 1), 0)
    return row


def _texts(wanted: dict[int, dict[str, object]], name: str) -> list[str]:
    return sorted({text for params in wanted.values() for text in _list(params.get(name))})


def _list(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for text in value if isinstance(text, str)]
    return [value] if isinstance(value, str) else []


def _id() -> str:
    return str(uuid.uuid4())
