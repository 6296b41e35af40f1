"""The log events of a chunk of YouTube channels: lifetime counters over 13 months, and their newest videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.world import draws, timeline
from devstack.world.channels import Channels
from devstack.world.size import World
from devstack.world.timeline import DAY, Timeline
from devstack.world.vocabulary import YOUTUBE_SOURCES

YOUNG_VIDEO_DAYS = 7


def channel_timeline(world: World, channels: Channels) -> Timeline:
    """Scrapes of the tracked channels, in publishing order."""
    chunk = int(channels.number[0])
    random = draws.stream(world.seed, "youtube scrapes", chunk)
    return timeline.published(
        world, "youtube channels", chunk, *timeline.scrapes(world, random, np.flatnonzero(channels.tracked))
    )


def video_timeline(world: World, channels: Channels, videos: pa.Table) -> Timeline:
    """One snapshot of every video of the last week, in publishing order; entities are rows of `videos`."""
    published = _epoch(videos["published_at"])
    entity = np.flatnonzero(published > world.as_of_epoch - YOUNG_VIDEO_DAYS * DAY)
    chunk = int(channels.number[0])
    random = draws.stream(world.seed, "youtube video scrapes", chunk)
    moment = np.minimum(published[entity] + random.uniform(600, DAY, len(entity)), world.as_of_epoch - 5)
    return timeline.published(world, "youtube videos", chunk, entity, moment.astype(np.int64))


def channel_messages(world: World, channels: Channels, scrapes: Timeline) -> Iterator[events.Message]:
    """profile_log messages of channels: lifetime subscribers, views and uploads at the moment."""
    chunk = int(channels.number[0])
    days_before = (world.as_of_epoch - scrapes.moment) / DAY
    subscribers, views, uploads = (
        counter.at(scrapes.entity, days_before).tolist()
        for counter in (channels.subscribers, channels.views, channels.uploads)
    )
    event_id = draws.event_ids(
        scrapes.event, draws.salt(world.seed, world.as_of_epoch, "youtube profile_log", chunk)
    ).to_pylist()
    channel_id, hidden = channels.channel_id.to_pylist(), channels.hidden.tolist()
    dimensions = _dimensions(channels)
    for row, (account, moment) in enumerate(zip(scrapes.entity.tolist(), timeline.texts(scrapes.moment), strict=True)):
        yield events.profile_log(
            event_id=event_id[row],
            source=YOUTUBE_SOURCES[int(scrapes.event[row]) % len(YOUTUBE_SOURCES)],
            platform=events.YOUTUBE,
            profile_id=channel_id[account],
            handle=None,
            event_timestamp=moment,
            metrics={
                "subscriber_count": subscribers[row],
                "view_count": views[row],
                "video_count": uploads[row],
                "hidden_subscriber_count": int(hidden[account]),
            },
            dimensions=orjson.Fragment(dimensions[account]),
        )


def video_messages(world: World, channels: Channels, videos: pa.Table, snapshots: Timeline) -> Iterator[events.Message]:
    """post_log messages of videos."""
    chunk = int(channels.number[0])
    event_id = draws.event_ids(
        snapshots.event, draws.salt(world.seed, world.as_of_epoch, "youtube post_log", chunk)
    ).to_pylist()
    rows = videos.take(pa.array(snapshots.entity)).to_pylist()
    for number, (video, moment) in enumerate(zip(rows, timeline.texts(snapshots.moment), strict=True)):
        published = int(video["published_at"].replace(tzinfo=world.as_of.tzinfo).timestamp())
        yield events.post_log(
            event_id=event_id[number],
            source="ytapi",
            platform=events.YOUTUBE,
            profile_id=video["channel_id"],
            handle=None,
            shortcode=video["shortcode"],
            publish_time=video["published_at"].strftime("%Y-%m-%d %H:%M:%S"),
            event_timestamp=moment,
            metrics={
                "view_count": video["views"],
                "likes": video["likes"],
                "comments": video["comments"],
                "favourite_count": 0,
            },
            dimensions=orjson.Fragment(video_dimensions(video, published)),
        )


def video_dimensions(video: Mapping[str, object], published: int) -> bytes:
    """Dimensions of a row of `beat_replica.youtube_post_simple`, as JSON."""
    names = ("title", "description", "channel_title", "duration", "thumbnail", "category_id", "audio_language")
    return events.youtube_video(**{name: video[name] for name in names}, published=published)


def _dimensions(channels: Channels) -> list[bytes]:
    names = ("channel_id", "title", "description", "custom_url", "country", "thumbnail", "created")
    columns = zip(
        channels.channel_id.to_pylist(),
        channels.title.to_pylist(),
        channels.description.to_pylist(),
        channels.custom_url.to_pylist(),
        channels.country_text().to_pylist(),
        channels.thumbnail.to_pylist(),
        channels.created.tolist(),
        strict=True,
    )
    return [events.youtube_channel(**dict(zip(names, values, strict=True))) for values in columns]


def _epoch(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy() // 1_000_000
