"""All log events of a world as one iterator, and publishing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pika
import pyarrow as pa

from devstack.beat import broker
from devstack.beat.events import Message
from devstack.world import (
    channels,
    comments,
    followers,
    gpt_events,
    insight_events,
    instagram_events,
    launches,
    orders,
    posts,
    profiles,
    readings,
    requests,
    subscriptions,
    traces,
    youtube_events,
)
from devstack.world.core import Core
from devstack.world.size import World


@dataclass(frozen=True)
class Part:
    """Some of a world's events: how many, and a function that makes them."""

    events: int
    messages: Callable[[], Iterator[Message]]


@dataclass(frozen=True)
class Topics:
    """What stands both in tables and in events."""

    activities: comments.Activities
    graph: followers.Graph
    subscriptions: subscriptions.Subscriptions

    @classmethod
    def of(cls, core: Core) -> Topics:
        return cls(comments.of(core), followers.of(core), subscriptions.of(core))


def instagram_parts(world: World, chunk: profiles.Profiles, owned: posts.Posts) -> list[Part]:
    """Events of a chunk of profiles and of their posts."""
    scrapes = instagram_events.profile_timeline(world, chunk)
    snapshots = instagram_events.post_timeline(world, chunk, owned)
    insights = insight_events.profile_timeline(world, chunk)
    answers = gpt_events.of(world, chunk)
    return [
        Part(len(scrapes), lambda: instagram_events.profile_messages(world, chunk, scrapes)),
        Part(len(snapshots), lambda: instagram_events.post_messages(world, chunk, owned, snapshots)),
        Part(len(insights), lambda: insight_events.profile_messages(world, chunk)),
        Part(len(answers), answers.messages),
    ]


def youtube_parts(world: World, chunk: channels.Channels, videos: pa.Table) -> list[Part]:
    """Events of a chunk of channels and of their videos."""
    scrapes = youtube_events.channel_timeline(world, chunk)
    snapshots = youtube_events.video_timeline(world, chunk, videos)
    insights = insight_events.channel_timeline(world, chunk)
    return [
        Part(len(scrapes), lambda: youtube_events.channel_messages(world, chunk, scrapes)),
        Part(len(snapshots), lambda: youtube_events.video_messages(world, chunk, videos, snapshots)),
        Part(len(insights), lambda: insight_events.channel_messages(world, chunk)),
    ]


def core_parts(core: Core, topics: Topics, queue: pa.Table, shop_orders: pa.Table) -> list[Part]:
    """Events of the topics that belong to no single account; `queue` are all scrape requests."""
    world = core.world
    told = readings.of(core)
    moods, calls = comments.moods(topics.activities), traces.calls(world, queue)
    feed, opened = subscriptions.activities(core), launches.messages(world)
    return [
        Part(len(told), told.messages),
        Part(len(topics.activities.order), lambda: comments.messages(topics.activities)),
        Part(len(moods), lambda: comments.sentiments(topics.activities, moods)),
        Part(len(topics.graph.order), lambda: followers.messages(topics.graph)),
        Part(orders.count(world, shop_orders), lambda: orders.messages(world, shop_orders)),
        Part(len(topics.subscriptions.order), lambda: subscriptions.messages(topics.subscriptions)),
        Part(len(feed), lambda: iter(feed)),
        Part(calls.num_rows, lambda: traces.messages(world, calls)),
        Part(len(opened), lambda: iter(opened)),
    ]


def request_part(world: World, table: pa.Table) -> Part:
    """Events of the young scrape requests."""
    changes = requests.transitions(world, table)
    return Part(len(changes), changes.messages)


def publish(
    messages: Iterator[Message], total: int, parameters: pika.ConnectionParameters, say: Callable[[str], None]
) -> int:
    """Publish confirmed, with a line of progress twice a second. Returns the number of confirmed messages."""
    return broker.publish(messages, parameters, broker.Progress("published", total, say))
