"""Log events made from rows of Beat's tables, as the flows publish them after a scrape."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from devstack.beat import events
from devstack.beat.replica import Row


def profile_event(row: Row, event_id: str, moment: datetime, source: str = "lama") -> events.Message:
    """profile_log of a row of `beat_replica.instagram_account`."""
    dimensions = events.instagram_profile(
        profile_id=row["profile_id"],
        handle=row["handle"],
        full_name=row["full_name"],
        biography=row["biography"],
        picture=row["profile_pic_url"],
        profile_type=row["profile_type"],
        is_private=bool(row["is_private"]),
        is_verified=bool(row["is_verified"]),
    )
    return events.profile_log(
        event_id=event_id,
        source=source,
        platform=events.INSTAGRAM,
        profile_id=row["profile_id"],
        handle=row["handle"],
        event_timestamp=events.text_time(moment),
        metrics={name: row[name] for name in ("followers", "following", "media_count")},
        dimensions=orjson.Fragment(dimensions),
    )


def channel_event(row: Row, event_id: str, moment: datetime, source: str = "ytapi") -> events.Message:
    """profile_log of a row of `beat_replica.youtube_account`."""
    dimensions = events.youtube_channel(
        channel_id=row["channel_id"],
        title=row["title"],
        description=row["description"],
        custom_url=row["custom_url"],
        country=row["country"],
        thumbnail=row["thumbnail"],
        created=_epoch(row["published_at"]),
    )
    return events.profile_log(
        event_id=event_id,
        source=source,
        platform=events.YOUTUBE,
        profile_id=row["channel_id"],
        handle=None,
        event_timestamp=events.text_time(moment),
        metrics={
            "subscriber_count": row["subscribers"],
            "view_count": row["views"],
            "video_count": row["uploads"],
            "hidden_subscriber_count": 0,
        },
        dimensions=orjson.Fragment(dimensions),
    )


def post_event(row: Row, event_id: str, moment: datetime, source: str = "rapidapi-jotucker") -> events.Message:
    """post_log of a row of `beat_replica.instagram_post_simple`."""
    metrics = {"likes": row["likes"], "comments": row["comments"]}
    if row["post_type"] == "reels":
        metrics["play_count"] = row["plays"]
    published = row["publish_time"].replace(tzinfo=UTC)
    return events.post_log(
        event_id=event_id,
        source=source,
        platform=events.INSTAGRAM,
        profile_id=row["profile_id"] or "TODO",
        handle=row["handle"],
        shortcode=row["shortcode"],
        publish_time=events.text_time(published),
        event_timestamp=events.text_time(moment),
        metrics=metrics,
        dimensions=orjson.Fragment(
            events.instagram_post(
                profile_id=row["profile_id"] or "TODO",
                handle=row["handle"],
                post_id=row["post_id"],
                post_type=row["post_type"],
                caption=row["caption"],
                picture=row["display_url"],
                published=_epoch(published),
            )
        ),
    )


def video_event(row: Row, event_id: str, moment: datetime, source: str = "ytapi") -> events.Message:
    """post_log of a row of `beat_replica.youtube_post_simple`."""
    published = row["published_at"].replace(tzinfo=UTC)
    return events.post_log(
        event_id=event_id,
        source=source,
        platform=events.YOUTUBE,
        profile_id=row["channel_id"],
        handle=None,
        shortcode=row["shortcode"],
        publish_time=events.text_time(published),
        event_timestamp=events.text_time(moment),
        metrics={
            "view_count": row["views"],
            "likes": row["likes"],
            "comments": row["comments"],
            "favourite_count": 0,
        },
        dimensions=orjson.Fragment(
            events.youtube_video(
                title=row["title"],
                description=row["description"],
                channel_title=row["channel_title"],
                duration=row["duration"],
                thumbnail=row["thumbnail"],
                category_id=row["category_id"],
                audio_language=row["audio_language"],
                published=_epoch(published),
            )
        ),
    )


def _epoch(moment: datetime | None) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp()) if moment else 0
