"""All log events of a world as one iterator, and publishing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pika
import pyarrow as pa

from devstack.beat import broker
from devstack.beat.events import Message
from devstack.world import channels, instagram_events, posts, profiles, requests, youtube_events
from devstack.world.size import World


@dataclass(frozen=True)
class Part:
    """Some of a world's events: how many, and a function that makes them."""

    events: int
    messages: Callable[[], Iterator[Message]]


def instagram_parts(world: World, chunk: profiles.Profiles, owned: posts.Posts) -> list[Part]:
    """Events of a chunk of profiles and of their posts."""
    scrapes = instagram_events.profile_timeline(world, chunk)
    snapshots = instagram_events.post_timeline(world, chunk, owned)
    return [
        Part(len(scrapes), lambda: instagram_events.profile_messages(world, chunk, scrapes)),
        Part(len(snapshots), lambda: instagram_events.post_messages(world, chunk, owned, snapshots)),
    ]


def youtube_parts(world: World, chunk: channels.Channels, videos: pa.Table) -> list[Part]:
    """Events of a chunk of channels and of their videos."""
    scrapes = youtube_events.channel_timeline(world, chunk)
    snapshots = youtube_events.video_timeline(world, chunk, videos)
    return [
        Part(len(scrapes), lambda: youtube_events.channel_messages(world, chunk, scrapes)),
        Part(len(snapshots), lambda: youtube_events.video_messages(world, chunk, videos, snapshots)),
    ]


def request_part(world: World, table: pa.Table) -> Part:
    """Events of the young scrape requests."""
    messages = list(requests.event_messages(world, table))
    return Part(len(messages), lambda: iter(messages))


def publish(
    messages: Iterator[Message], total: int, parameters: pika.ConnectionParameters, say: Callable[[str], None]
) -> int:
    """Publish confirmed, with a line of progress twice a second. Returns the number of confirmed messages."""
    return broker.publish(messages, parameters, broker.Progress("published", total, say))
