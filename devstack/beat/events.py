"""The messages that Beat publishes: exchange, routing keys and payloads.

Shapes and types follow spec/events.yml: flat `metrics` and `dimensions`, times as text without zone (UTC), scrape ids
as text, `expires_at` as ISO 8601 with a T. Each event keeps its id when it is published again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

EXCHANGE = "beat.dx"
PROFILE_LOG = "profile_log_events"
POST_LOG = "post_log_events"
SCRAPE_REQUEST_LOG = "scrape_request_log_events"
ROUTING_KEYS = (PROFILE_LOG, POST_LOG, SCRAPE_REQUEST_LOG)
CONTENT_TYPE = "application/json"

INSTAGRAM, YOUTUBE = "INSTAGRAM", "YOUTUBE"
REQUEST_LIFETIME = timedelta(hours=1)

Values = Mapping[str, object] | orjson.Fragment


@dataclass(frozen=True)
class Message:
    """One message as it goes to the broker."""

    routing_key: str
    body: bytes


def text_time(moment: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC, the form of all event times but expires_at."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso_time(moment: datetime) -> str:
    """ISO 8601 with T and microseconds, no zone, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def profile_log(
    *,
    event_id: str,
    source: str,
    platform: str,
    profile_id: str,
    handle: str | None,
    event_timestamp: str,
    metrics: Values,
    dimensions: Values,
) -> Message:
    """Snapshot of a profile or channel. For YouTube the handle is the channel id, as Beat has it."""
    return Message(
        PROFILE_LOG,
        orjson.dumps({
            "event_id": event_id,
            "source": source,
            "platform": platform,
            "profile_id": profile_id,
            "handle": profile_id if platform == YOUTUBE else handle,
            "event_timestamp": event_timestamp,
            "metrics": metrics,
            "dimensions": dimensions,
        }),
    )  # fmt: skip


def post_log(
    *,
    event_id: str,
    source: str,
    platform: str,
    profile_id: str | None,
    handle: str | None,
    shortcode: str,
    publish_time: str | None,
    event_timestamp: str,
    metrics: Values,
    dimensions: Values,
) -> Message:
    """Snapshot of a post, story or video."""
    return Message(
        POST_LOG,
        orjson.dumps({
            "event_id": event_id,
            "source": source,
            "platform": platform,
            "profile_id": profile_id,
            "handle": profile_id if platform == YOUTUBE else handle,
            "shortcode": shortcode,
            "publish_time": publish_time,
            "event_timestamp": event_timestamp,
            "metrics": metrics,
            "dimensions": dimensions,
        }),
    )  # fmt: skip


def scrape_request_log(
    *,
    event_id: str,
    scrape_id: int,
    flow: str,
    platform: str,
    params: Values,
    status: str,
    moment: datetime,
    picked_at: datetime | None,
    retry_count: int = 1,
    iso_times: bool = False,
) -> Message:
    """A request changed its status at `moment`. The id is text: as a JSON number old readers stored 0.

    `iso_times`: Beat's update endpoint sends all its times with a T, unlike everything else.
    """
    written = iso_time if iso_times else text_time
    return Message(
        SCRAPE_REQUEST_LOG,
        orjson.dumps({
            "event_id": event_id,
            "scl_id": str(scrape_id),
            "flow": flow,
            "platform": platform,
            "params": params,
            "status": status,
            "priority": 1,
            "reason": None,
            "event_timestamp": written(moment),
            "picked_at": written(picked_at) if picked_at else None,
            "expires_at": iso_time(moment + REQUEST_LIFETIME),
            "retry_count": retry_count,
        }),
    )  # fmt: skip


def instagram_profile(
    *,
    profile_id: str,
    handle: str,
    full_name: str | None,
    biography: str | None,
    picture: str | None,
    profile_type: str | None,
    is_private: bool,
    is_verified: bool,
) -> bytes:
    """Dimensions of an Instagram profile, already as JSON: they are the same in each of its snapshots."""
    return orjson.dumps({
        "handle": handle,
        "profile_id": profile_id,
        "full_name": full_name,
        "bio": biography,
        "profile_pic_url": picture,
        "profile_type": profile_type,
        "is_private": is_private,
        "is_verified": is_verified,
        "is_business_or_creator": profile_type in ("business", "creator"),
    })  # fmt: skip


def instagram_post(
    *,
    profile_id: str,
    handle: str,
    post_id: str,
    post_type: str,
    caption: str | None,
    picture: str | None,
    published: int,
    more: Mapping[str, object] | None = None,
) -> bytes:
    """Dimensions of an Instagram post; `published` is epoch seconds, `more` what only some providers tell."""
    return orjson.dumps({
        "profile_id": profile_id,
        "handle": handle,
        "post_id": post_id,
        "post_type": post_type,
        "caption": caption,
        "display_url": picture,
        "thumbnail_src": picture,
        "taken_at_timestamp": published,
        **(more or {}),
    })  # fmt: skip


def youtube_channel(
    *,
    channel_id: str,
    title: str | None,
    description: str | None,
    custom_url: str | None,
    country: str | None,
    thumbnail: str | None,
    created: int,
) -> bytes:
    """Dimensions of a YouTube channel; `created` is epoch seconds."""
    return orjson.dumps({
        "title": title,
        "description": description,
        "custom_url": custom_url,
        "country": country,
        "taken_at_timestamp": created,
        "thumbnail": thumbnail,
        "thumbnails": orjson.dumps({"default": {"url": thumbnail, "width": 88, "height": 88}}).decode(),
        "uploads_playlist_id": "UU" + channel_id[2:],
    })  # fmt: skip


def youtube_video(
    *,
    title: str | None,
    description: str | None,
    channel_title: str | None,
    duration: str,
    thumbnail: str | None,
    category_id: str,
    audio_language: str | None,
    published: int,
) -> bytes:
    """Dimensions of a YouTube video; `published` is epoch seconds, `duration` ISO 8601."""
    return orjson.dumps({
        "title": title,
        "description": description,
        "channel_title": channel_title,
        "duration": duration,
        "thumbnail": thumbnail,
        "thumbnails": orjson.dumps({"default": {"url": thumbnail}}).decode(),
        "tags": None,
        "category_id": category_id,
        "audio_language": audio_language,
        "is_licensed": False,
        "content_rating": "{}",
        "definition": "hd",
        "playlist_id": None,
        "taken_at_timestamp": published,
    })  # fmt: skip
