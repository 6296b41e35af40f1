"""What flows find about posts that the catalogue has: live stories, insights of owners, and which videos are short."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from devstack.beat import events
from devstack.beat.catalogue import Catalogue
from devstack.beat.replica import Row

if TYPE_CHECKING:
    from devstack.beat.scraping import Findings

Wanted = dict[int, dict[str, object]]

STORY_LIFETIME = timedelta(days=1)
LONGEST_SHORT = 60  # seconds
POST_MISSING = "(404, 'Post missing')"
NO_STORIES = "(200, 'No Stories for this user')"
NOT_FOUND = "Something went wrong - 404"
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_FIGURES = ("profile_follower", "profile_er", "profile_static_er", "profile_reels_er")


def stories(wanted: Wanted, catalogue: Catalogue, findings: Findings) -> None:
    """The live stories of a profile; a story that was asked for by id and is gone is told once more, without source."""
    now = datetime.now(UTC)
    for number, params in wanted.items():
        handle = str(params["handle"])
        live = [row for row in catalogue.posts("handle", [handle]) if row["post_type"] == "story" and _young(row, now)]
        wished = params.get("story_ids")
        asked = {str(code) for code in wished} if isinstance(wished, list) else set()
        gone = asked - {str(row["shortcode"]) for row in live}
        figures = {name: params.get(name) for name in _FIGURES}
        findings.messages[number] = [_story(row, figures, now) for row in live]
        findings.messages[number] += [_gone(code, handle, params, figures, now) for code in sorted(gone)]
        if not findings.messages[number]:
            findings.failures[number] = NO_STORIES


def post_insights(wanted: Wanted, catalogue: Catalogue, findings: Findings) -> None:
    """What the owner's token tells of a post or story: counters of its reach, and no word of whose it is."""
    codes = sorted({str(params["shortcode"]) for params in wanted.values()})
    rows = {row["shortcode"]: row for row in catalogue.posts("shortcode", codes)}
    now = datetime.now(UTC)
    for number, params in wanted.items():
        row = rows.get(str(params["shortcode"]))
        if row is None:
            findings.failures[number] = POST_MISSING
            continue
        likes = row["likes"] or 0
        metrics = {"reach": likes * 12, "impressions": likes * 15, "shares": likes // 50}
        if row["post_type"] == "story":
            metrics = {
                "reach": 400,
                "impressions": 420,
                "replies": 1,
                "tap_forward": 300,
                "tap_back": 20,
                "tap_exit": 40,
            }
        else:
            metrics |= {"likes": likes, "comments": row["comments"], "saved": likes // 40, "engagement": float(likes)}
        findings.messages[number] = [
            events.post_log(
                event_id=str(uuid.uuid4()), source="graphapi", platform=events.INSTAGRAM, profile_id="TODO",
                handle=None, shortcode=str(row["shortcode"]), publish_time=None,
                event_timestamp=events.text_time(now), metrics=metrics, dimensions={"post_id": row["post_id"]},
            )
        ]  # fmt: skip


def post_types(wanted: Wanted, catalogue: Catalogue, findings: Findings) -> None:
    """Videos of at most a minute are shorts; nothing is published."""
    codes = sorted({str(params["post_id"]) for params in wanted.values()})
    rows = {row["shortcode"]: row for row in catalogue.videos("shortcode", codes, limit=max(len(codes), 1))}
    for number, params in wanted.items():
        row = rows.get(str(params["post_id"]))
        if row is None:
            findings.failures[number] = NOT_FOUND
            continue
        findings.messages[number] = []
        kind = "short" if _seconds(str(row["duration"] or "")) <= LONGEST_SHORT else "video"
        findings.post_types[str(row["shortcode"])] = kind


def _young(row: Row, now: datetime) -> bool:
    return now - row["publish_time"].replace(tzinfo=UTC) < STORY_LIFETIME


def _story(row: Row, figures: dict[str, object], now: datetime) -> events.Message:
    published = row["publish_time"].replace(tzinfo=UTC)
    described = events.instagram_post(
        profile_id=row["profile_id"], handle=row["handle"], post_id=row["post_id"], post_type="story", caption=None,
        picture=row["display_url"], published=int(published.timestamp()), more={"content_type": "image"},
    )  # fmt: skip
    return events.post_log(
        event_id=str(uuid.uuid4()), source="rapidapi-jotucker", platform=events.INSTAGRAM,
        profile_id=row["profile_id"], handle=row["handle"], shortcode=row["shortcode"],
        publish_time=events.text_time(published), event_timestamp=events.text_time(now), metrics=figures,
        dimensions=orjson.Fragment(described),
    )  # fmt: skip


def _gone(
    code: str, handle: str, params: dict[str, object], figures: dict[str, object], now: datetime
) -> events.Message:
    profile_id = str(params.get("profile_id"))
    return events.post_log(
        event_id=str(uuid.uuid4()), source="", platform=events.INSTAGRAM, profile_id=profile_id, handle=handle,
        shortcode=code, publish_time=None, event_timestamp=events.text_time(now), metrics=figures,
        dimensions={"post_id": code, "handle": handle, "profile_id": profile_id, "post_type": "story"},
    )  # fmt: skip


def _seconds(duration: str) -> int:
    """Of an ISO 8601 duration such as PT1H2M3S; 0 for what is none."""
    hours, minutes, seconds = (int(part or 0) for part in (_DURATION.match(duration) or _DURATION.match("PT")).groups())
    return hours * 3_600 + minutes * 60 + seconds
