"""The first accounts of a world with everything they own: what collections, comments, followers and orders are about.

Topics that belong to no single account take their facts from here, so that ids match across tables. It is one chunk,
whatever the size of the world, and therefore kept for the whole load.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from devstack.world import channels, collections, posts, profiles
from devstack.world.size import World


@dataclass(frozen=True)
class Core:
    """The first chunk of profiles and of channels, their posts and videos, and the collections made of these."""

    world: World
    profiles: profiles.Profiles
    posts: posts.Posts
    channels: channels.Channels
    videos: pa.Table
    collected: collections.PostCollections


def of(world: World) -> Core:
    first, tubes = profiles.chunk(world, 0), channels.chunk(world, 0)
    owned, videos = posts.of(world, first), channels.video_table(world, tubes)
    collected = collections.post_collections(world, first, owned)
    return Core(
        world=world,
        profiles=first,
        posts=owned,
        channels=tubes,
        videos=videos,
        collected=collections.with_more_items(world, collected, first, owned, tubes, videos),
    )
