"""The insights of connected accounts as events: the same audiences that the replica's insight tables hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

from devstack.beat import events
from devstack.world import belongings, draws, timeline
from devstack.world.channels import Channels
from devstack.world.profiles import Profiles
from devstack.world.size import World
from devstack.world.timeline import DAY, Timeline

READINGS = 2  # the newest is the one that the replica holds


def profile_messages(world: World, profiles: Profiles) -> Iterator[events.Message]:
    """profile_log messages of the connected profiles of a chunk; they name no handle and have no metrics."""
    rows = belongings.of_profiles(world, profiles)["beat_replica.instagram_profile_insights"].to_pylist()
    columns = ("audience_gender_age", "audience_city", "audience_country")
    yield from _messages(
        world,
        profile_timeline(world, profiles),
        [(row["profile_id"], None, {name: row[name] for name in columns}) for row in rows],
        ("instagram insights", int(profiles.number[0])),
    )


def channel_messages(world: World, channels: Channels) -> Iterator[events.Message]:
    """profile_log messages of the connected channels of a chunk."""
    rows = belongings.of_channels(world, channels)["beat_replica.youtube_profile_insights"].to_pylist()
    yield from _messages(
        world,
        channel_timeline(world, channels),
        [(row["channel_id"], row["channel_id"], {name: row[name] for name in ("gender_age", "city", "country")})
         for row in rows],
        ("youtube insights", int(channels.number[0])),
    )  # fmt: skip


def profile_timeline(world: World, profiles: Profiles) -> Timeline:
    """Readings of the connected profiles, in publishing order; entities are their places among the connected."""
    return _timeline(world, "instagram insights", int(profiles.number[0]), int(profiles.connected.sum()))


def channel_timeline(world: World, channels: Channels) -> Timeline:
    """The same of the connected channels."""
    return _timeline(world, "youtube insights", int(channels.number[0]), int(channels.connected.sum()))


def _timeline(world: World, purpose: str, chunk: int, accounts: int) -> Timeline:
    random = draws.stream(world.seed, purpose, chunk)
    entity = np.repeat(np.arange(accounts), READINGS)
    weeks_ago = np.tile(np.arange(READINGS), accounts)
    moment = world.as_of_epoch - 3_600 - (weeks_ago * 7 + random.uniform(0, 6, len(entity))) * DAY
    return timeline.published(world, purpose, chunk, entity, moment.astype(np.int64))


def _messages(
    world: World,
    order: Timeline,
    told: list[tuple[str, str | None, dict[str, str | None]]],
    purpose: tuple[object, ...],
) -> Iterator[events.Message]:
    identity = draws.event_ids(order.event, draws.salt(world.seed, world.as_of_epoch, *purpose)).to_pylist()
    for row, (entity, moment) in enumerate(zip(order.entity.tolist(), timeline.texts(order.moment), strict=True)):
        profile_id, handle, texts = told[entity]
        youtube = handle is not None
        yield events.profile_log(
            event_id=identity[row],
            source="ytapi" if youtube else "graphapi",
            platform=events.YOUTUBE if youtube else events.INSTAGRAM,
            profile_id=profile_id,
            handle=handle,
            event_timestamp=moment,
            metrics={},
            dimensions={name: orjson.Fragment(text) for name, text in texts.items() if text is not None},
        )
