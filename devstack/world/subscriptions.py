"""Which channels subscribe to which, in production's and in staging's event tables, and what channels do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.beat.log_entries import SUBSCRIPTION, ChannelActivity, Subscription
from devstack.beat.phrases import ACTIVITY_TYPES
from devstack.world import draws, timeline
from devstack.world.core import Core
from devstack.world.timeline import DAY, Timeline
from event_sinker.events import EVENT_TYPES

MOST_CHANNELS = 400
PER_CHANNEL = 5
HISTORY_DAYS = 90
RECENT_DAYS = 4  # half of the subscriptions were read within them
STAGING_SHARE = 0.2
ACTIVITIES_PER_CHANNEL = 2


@dataclass(frozen=True)
class Subscriptions:
    """Edges by number; channels beyond the world's were never scraped, and some subscribers are unknown."""

    core: Core
    source: list[str | None]
    target: list[str]
    since: np.ndarray
    read: np.ndarray
    order: Timeline

    def __len__(self) -> int:
        return len(self.read)


def of(core: Core) -> Subscriptions:
    world = core.world
    random = draws.stream(world.seed, "subscriptions")
    channels = min(len(core.channels), MOST_CHANNELS)
    source = np.repeat(np.arange(channels), PER_CHANNEL)
    target = random.integers(0, channels + channels // 8, len(source))
    recent = random.random(len(source)) < 0.5
    days = np.where(
        recent, random.uniform(0, RECENT_DAYS, len(source)), random.uniform(RECENT_DAYS, HISTORY_DAYS, len(source))
    )
    read = world.as_of_epoch - 60 - days * DAY
    since = world.as_of_epoch - random.uniform(HISTORY_DAYS, 2_000, len(source)) * DAY
    # Some were read again: the same pair with a later event, now and then with another day of subscribing.
    again = np.flatnonzero(random.random(len(source)) < 0.1)
    source, target = np.concatenate([source, source[again]]), np.concatenate([target, target[again]])
    since = np.concatenate([since, since[again] + np.where(again % 3 == 0, DAY, 0)]).astype(np.int64)
    read = np.concatenate([read, np.minimum(read[again] + DAY, world.as_of_epoch - 30)]).astype(np.int64)
    numbers = np.arange(channels + channels // 8)
    numbers[channels:] += world.size.channels
    ids = draws.channel_ids(numbers, draws.salt(world.seed, "channel ids")).to_pylist()
    return Subscriptions(
        core=core,
        source=[None if row % 61 == 60 else ids[number] for row, number in enumerate(source.tolist())],
        target=[ids[number] for number in target.tolist()],
        since=since,
        read=read,
        order=timeline.published(world, "subscriptions", 0, np.arange(len(source)), read),
    )


def messages(made: Subscriptions) -> Iterator[events.Message]:
    """yt_profile_relationship_log messages in publishing order."""
    world = made.core.world
    identity = draws.event_ids(made.order.event, draws.salt(world.seed, world.as_of_epoch, "subscriptions")).to_pylist()
    since, read = timeline.texts(made.since), timeline.texts(made.order.moment)
    for row, number in enumerate(made.order.event.tolist()):
        yield Subscription(
            event_id=identity[row],
            relationship_id=_relationship_id(made, number),
            source_channel_id=made.source[number],
            target_channel_id=made.target[number],
            source_metrics={},
            target_metrics={},
            source_dimensions=_described(made.source[number]),
            target_dimensions=_described(made.target[number]),
            subscribed_on=since[number],
            event_timestamp=read[row],
        ).message()


def staging_table(made: Subscriptions) -> pa.Table:
    """Rows of staging's event table: some of production's pairs, under ids of their own, as its sinker stored them."""
    world = made.core.world
    rows = np.flatnonzero(draws.stream(world.seed, "staging subscriptions").random(len(made)) < STAGING_SHARE)
    rows = np.concatenate([rows, rows[:2]])  # an event that was delivered twice
    at = rows.tolist()
    columns = {
        "event_id": draws.event_ids(rows, draws.salt(world.seed, world.as_of_epoch, "staging subscriptions")),
        "relationship_id": pa.array([_relationship_id(made, number) for number in at]),
        "relationship_type": pa.array([SUBSCRIPTION] * len(at)),
        "source": pa.array(["ytapi"] * len(at)),
        "platform": pa.array([events.YOUTUBE] * len(at)),
        "source_channel_id": pa.array([made.source[number] or "" for number in at]),
        "target_channel_id": pa.array([made.target[number] for number in at]),
        "source_metrics": pa.array(["{}"] * len(at)),
        "target_metrics": pa.array(["{}"] * len(at)),
        "source_dimensions": pa.array([orjson.dumps(_described(made.source[number])).decode() for number in at]),
        "target_dimensions": pa.array([orjson.dumps(_described(made.target[number])).decode() for number in at]),
        "subscribed_on": pa.array(made.since[rows]).cast(pa.timestamp("s")),
        "event_timestamp": pa.array(made.read[rows]).cast(pa.timestamp("s")),
        "insert_timestamp": pa.array(np.full(len(at), world.as_of_epoch)).cast(pa.timestamp("s")),
        "ingest_batch_id": pa.array(["staging"] * len(at)),
    }
    return pa.table({name: columns[name] for name in EVENT_TYPES["yt_profile_relationship_log"].column_names})


def activities(core: Core) -> list[events.Message]:
    """yt_activity_log messages; subscriptions and videos are described, other kinds are not."""
    world = core.world
    random = draws.stream(world.seed, "channel activities")
    channels = min(len(core.channels), MOST_CHANNELS)
    actor = np.repeat(np.arange(channels), ACTIVITIES_PER_CHANNEL)
    happened = (world.as_of_epoch - 3_600 - random.uniform(0, 60, len(actor)) * DAY).astype(np.int64)
    read = np.minimum(happened + random.uniform(600, DAY, len(actor)), world.as_of_epoch - 30).astype(np.int64)
    order = timeline.published(world, "channel activities", 0, np.arange(len(actor)), read)
    identity = draws.event_ids(order.event, draws.salt(world.seed, world.as_of_epoch, "channel activities")).to_pylist()
    channel_ids, titles = core.channels.channel_id.to_pylist(), core.channels.title.to_pylist()
    videos = core.videos["shortcode"].to_pylist()
    texts, times = timeline.texts(order.moment), timeline.texts(happened)
    found = []
    for row, number in enumerate(order.event.tolist()):
        kind = ACTIVITY_TYPES[number % len(ACTIVITY_TYPES)]
        other = (number * 7 + 1) % channels
        taken = {"taken_at_timestamp": times[number].replace(" ", "T") + "Z"}
        described: dict[str, object] = {}
        if kind == "subscription":
            described = {"subscribed_channel_id": channel_ids[other], "subscribed_channel_title": titles[other]} | taken
        elif kind in ("playlistItem", "upload"):
            described = {
                "shortcode": videos[number % len(videos)],
                "channel_title": titles[other],
                "title": "x",
            } | taken
        found.append(
            ChannelActivity(
                event_id=identity[row],
                activity_id=f"act-{number}",
                activity_type=kind,
                actor_channel_id=channel_ids[int(actor[number])],
                metrics={},
                dimensions=described,
                event_timestamp=texts[row],
            ).message()
        )
    return found


def _relationship_id(made: Subscriptions, number: int) -> str:
    # The pair's own: reading it again finds the same subscription.
    source = made.source[number] or "unknown"
    return f"{source[2:12]}{made.target[number][2:12]}"


def _described(channel: str | None) -> dict[str, object]:
    if channel is None:
        return {}
    thumbnail = f"https://yt3.example/{channel}=s88"
    return {
        "channel_title": f"Channel {channel[2:6]}",
        "description": None,
        "thumbnails": orjson.dumps({"default": {"url": thumbnail}}).decode(),
        "thumbnail": thumbnail,
    }
