"""Rows of the serving databases' base tables, which the loads enrich their results from."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from devstack.world import collections, draws
from devstack.world.channels import Channels
from devstack.world.profiles import Profiles
from devstack.world.size import World

_AGE_POOL = [
    orjson.dumps({"13-17": a, "18-24": b, "25-34": c, "35-44": d, "45-54": e}).decode()
    for a, b, c, d, e in ((9, 39, 37, 10, 5), (4, 30, 42, 17, 7), (15, 48, 25, 8, 4), (6, 35, 40, 13, 6))
]
_GENDER_POOL = [orjson.dumps({"male_per": male, "female_per": 100 - male}).decode() for male in (73, 45, 27, 59, 84)]


def instagram_accounts(world: World, profiles: Profiles) -> pa.Table:
    """Table `instagram_account`; a profile that was never scraped has its id and handle only."""
    random = draws.stream(world.seed, "serving profiles", int(profiles.number[0]))
    unknown = ~profiles.scraped
    return pa.table({
        "id": pa.array(profiles.number + 100),
        "ig_id": profiles.profile_id,
        "handle": profiles.handle,
        "name": draws.with_nulls(profiles.full_name, unknown),
        "thumbnail": draws.with_nulls(profiles.picture(), unknown),
        "followers": pa.array(profiles.followers, mask=unknown | ~profiles.followers_known),
        **_audience(random, len(profiles), unknown),
        "search_phrase": draws.joined(profiles.handle, " ", pa.compute.fill_null(profiles.full_name, "")),
    })  # fmt: skip


def youtube_accounts(world: World, channels: Channels) -> pa.Table:
    """Table `youtube_account`."""
    random = draws.stream(world.seed, "serving channels", int(channels.number[0]))
    unknown = ~channels.scraped
    return pa.table({
        "id": pa.array(channels.number + collections.YOUTUBE_ID_OFFSET),
        "channel_id": channels.channel_id,
        "username": channels.custom_url,
        "title": draws.with_nulls(channels.title, unknown),
        "thumbnail": draws.with_nulls(channels.thumbnail, unknown),
        "followers": pa.array(channels.subscribers.today.astype(np.int64), mask=unknown),
        **_audience(random, len(channels), unknown),
        "search_phrase": pa.compute.utf8_lower(channels.title),
    })  # fmt: skip


def collection_tables(posts: collections.PostCollections, profile_lists: pa.Table) -> dict[str, pa.Table]:
    """Tables `post_collection`, `post_collection_item` and `profile_collection`, the product's side of the replica."""
    items = posts.items
    return {
        "post_collection": posts.collections.select(["id", "share_id"]),
        "profile_collection": profile_lists.select(["id", "share_id"]),
        "post_collection_item": pa.table({
            "id": items["id"],
            "post_collection_id": items["post_collection_id"],
            "short_code": items["short_code"],
            "cost": items["cost"],
            "show_in_report": pa.compute.equal(items["show_in_report"], 1),
            "posted_by_cp_id": items["posted_by_cp_id"],
            "retrieve_data": pa.array([True] * items.num_rows),
        }),
    }  # fmt: skip


def _audience(random: np.random.Generator, rows: int, unknown: np.ndarray) -> dict[str, pa.Array]:
    missing = unknown | (random.random(rows) < 0.3)
    gender = draws.picked(_GENDER_POOL, random.integers(0, len(_GENDER_POOL), rows))
    age = draws.picked(_AGE_POOL, random.integers(0, len(_AGE_POOL), rows))
    return {
        "audience_gender": draws.with_nulls(gender, missing),
        "audience_age": draws.with_nulls(age, missing),
    }
