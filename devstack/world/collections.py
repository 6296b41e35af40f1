"""What the product keeps: account ids, post collections with their items, lists of profiles, keyword jobs.

The same rows go to ClickHouse's replica of the product's database and, narrower, to the serving databases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from devstack.world import draws
from devstack.world.channels import Channels
from devstack.world.posts import DAY, POST_TYPES, STORY, Posts
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World

YOUTUBE_ID_OFFSET = 1_000_000_000  # serving ids of channels, apart from those of profiles
COLLECTION_SOURCES = ["GCC_CAMPAIGN", "SAAS", None]
SPONSOR_LINKS = ['["https://gcc.li/a1?x=1&y=2", "https://shop.example"]', "[]", None]
LIST_NAMES = ["Tracked creators", 'Diwali "26" list', "Beauty \\ Skin", "नई लिस्ट"]
PARTNERS = [1, 7, 42, 118, 900]
UNKNOWN_POSTS = 0.10  # items whose post no scrape has seen yet
ITEM_DAYS = 75
YOUNG_DAYS = 14


def instagram_ids(world: World, profiles: Profiles) -> pa.Table:
    """`view_instagram_account_lite`: serving ids, also of profiles that were never scraped."""
    return pa.table({
        "id": pa.array(profiles.number + 100),
        "ig_id": profiles.profile_id,
        "handle": profiles.handle,
    })  # fmt: skip


def youtube_ids(world: World, channels: Channels) -> pa.Table:
    """`view_youtube_account_lite`; followers is 0 for channels that were never scraped."""
    random = draws.stream(world.seed, "youtube ids", int(channels.number[0]))
    followers = np.where(channels.scraped, channels.subscribers.today, 0).astype(np.int64)
    return pa.table({
        "id": pa.array(channels.number + YOUTUBE_ID_OFFSET),
        "channel_id": channels.channel_id,
        "followers": pa.array(followers),
        "created_at": moments(world.as_of_epoch - random.uniform(1, 500, len(channels)) * DAY),
    })  # fmt: skip


def campaign_profiles(world: World, profiles: Profiles) -> pa.Table:
    """`view_campaign_profile_lite`: a third of the profiles is known to campaigns, a tenth uses the app."""
    random = draws.stream(world.seed, "campaign profiles", int(profiles.number[0]))
    known = random.random(len(profiles)) < 0.33
    user = random.random(len(profiles)) < 0.3
    return pa.table({
        "id": pa.array(profiles.number + 5_000_000),
        "platform": pa.array(["INSTAGRAM"] * len(profiles)),
        "platform_account_id": pa.array(profiles.number + 100),
        "gcc_user_account_id": pa.array(np.where(user, profiles.number + 9_000_000, 0)),
    }).filter(pa.array(known))  # fmt: skip


@dataclass(frozen=True)
class PostCollections:
    collections: pa.Table  # beat_replica.post_collection
    items: pa.Table  # beat_replica.post_collection_item


def post_collections(world: World, profiles: Profiles, posts: Posts) -> PostCollections:
    """Post collections whose items are posts of the first chunk of profiles.

    Most items are young posts added in the last weeks, so that the refresh of collection posts always has work; a tenth
    names posts that were never scraped, stories are about 7 %, and some stories have only a placeholder code.
    """
    random = draws.stream(world.seed, "post collections")
    count, rows = world.size.post_collections, world.size.collection_items
    collection_id = pa.concat_arrays([
        pa.array([str(number) for number in range(20, 20 + min(3, count))]),
        draws.event_ids(np.arange(max(count - 3, 0)), draws.salt(world.seed, "post collection ids")),
    ])  # fmt: skip
    created = world.as_of_epoch - random.uniform(10, 330, count) * DAY
    collections = pa.table({
        "id": collection_id,
        "partner_id": pa.array(np.array(PARTNERS)[random.integers(0, len(PARTNERS), count)]),
        "source": draws.picked(COLLECTION_SOURCES, random.integers(0, len(COLLECTION_SOURCES), count)),
        "created_at": moments(created),
        "share_id": draws.codes(np.arange(count), draws.salt(world.seed, "post collection shares")),
    })  # fmt: skip
    item = _items(world, random, profiles, posts, rows)
    added = np.minimum(item.published + random.uniform(600, 5 * DAY, rows), world.as_of_epoch - 300)
    added = np.where(item.unknown, world.as_of_epoch - random.uniform(300, 50 * DAY, rows), added)
    handle = profiles.handle.take(pa.array(posts.owner[item.post]))
    items = pa.table({
        "id": pa.array(np.arange(rows) + 1),
        "platform": pa.array(["INSTAGRAM"] * rows),
        "short_code": item.short_code,
        "post_type": draws.picked(POST_TYPES, posts.kind[item.post]),
        "post_collection_id": collection_id.take(pa.array(random.integers(0, count, rows))),
        "posted_by_handle": handle,
        "sponsor_links": draws.picked(SPONSOR_LINKS, random.integers(0, len(SPONSOR_LINKS), rows)),
        "enabled": pa.array((random.random(rows) < 0.97).astype(np.uint8)),
        "show_in_report": pa.array((random.random(rows) < 0.9).astype(np.uint8)),
        "cost": pa.array(random.integers(0, 200, rows) * 500, mask=random.random(rows) < 0.1),
        "post_link": draws.joined("https://www.instagram.com/p/", item.short_code, "/"),
        "post_thumbnail": draws.joined("https://assets.example/posts/instagram/", item.short_code, ".jpg"),
        "posted_by_cp_id": pa.array(posts.owner[item.post] + 5_000_000),
        "created_at": moments(added),
        "updated_at": moments(added + 60),
    })  # fmt: skip
    return PostCollections(collections, items)


@dataclass(frozen=True)
class _Items:
    post: np.ndarray  # position of the post
    published: np.ndarray
    unknown: np.ndarray
    short_code: pa.Array


def _items(world: World, random: np.random.Generator, profiles: Profiles, posts: Posts, rows: int) -> _Items:
    age = (world.as_of_epoch - posts.published) / DAY
    recent = np.flatnonzero((age < YOUNG_DAYS - 1) & (posts.kind != STORY))
    older = np.flatnonzero((age < ITEM_DAYS) & (posts.kind != STORY))
    stories = np.flatnonzero((age < ITEM_DAYS) & (posts.kind == STORY))
    wanted_stories = min(len(stories), max(rows // 15, 1))
    wanted_recent = min(len(recent), (rows - wanted_stories) // 2)
    post = np.concatenate([
        random.choice(stories, wanted_stories, replace=False),
        random.choice(recent, wanted_recent, replace=False),
        random.choice(older, rows - wanted_stories - wanted_recent),
    ])  # fmt: skip
    story = posts.kind[post] == STORY
    unknown = ~story & (random.random(rows) < UNKNOWN_POSTS)
    unseen = draws.codes(np.arange(rows), draws.salt(world.seed, "posts nobody scraped"))
    placeholder = story & (np.arange(rows) % 4 == 0)
    code = pa.compute.if_else(pa.array(unknown), unseen, posts.shortcode.take(pa.array(post)))
    code = pa.compute.if_else(pa.array(placeholder), draws.joined("story_dum_", draws.texts(np.arange(rows))), code)
    return _Items(post, posts.published[post].astype(np.float64), unknown, code)


def profile_collections(world: World, profiles: Profiles) -> tuple[pa.Table, pa.Table]:
    """Lists of profiles and their items."""
    random = draws.stream(world.seed, "profile collections")
    count = world.size.profile_collections
    rows = min(count * 20, len(profiles) * 2)
    member = random.integers(0, len(profiles), rows)
    created = moments(world.as_of_epoch - random.uniform(10, 400, count) * DAY)
    lists = pa.table({
        "id": pa.array(np.arange(count) + 1),
        "share_id": draws.codes(np.arange(count), draws.salt(world.seed, "profile collection shares")),
        "name": draws.picked(LIST_NAMES, np.arange(count) % len(LIST_NAMES)),
        "partner_id": pa.array(np.array(PARTNERS)[np.arange(count) % len(PARTNERS)]),
        "created_at": created,
        "source": draws.picked(["SAAS-AT", "SAAS"], np.arange(count) % 2),
    })  # fmt: skip
    added = moments(world.as_of_epoch - random.uniform(1, 200, rows) * DAY)
    items = pa.table({
        "id": pa.array(np.arange(rows) + 1),
        "platform": pa.array(["INSTAGRAM"] * rows),
        "platform_account_code": pa.array(profiles.number[member] + 100),
        "profile_collection_id": pa.array(random.integers(0, count, rows) + 1),
        "hidden": pa.array((random.random(rows) < 0.03).astype(np.uint8)),
        "enabled": pa.array((random.random(rows) < 0.97).astype(np.uint8)),
        "custom_columns": pa.array(['{"Note": "call \\"back\\""}'] * rows),
        "rank": pa.array(np.arange(rows) % 20 + 1),
        "created_by": pa.array(["user"] * rows),
        "created_at": added,
        "updated_at": added,
        "partner_id": pa.array(np.array(PARTNERS)[random.integers(0, len(PARTNERS), rows)]),
        "profile_social_id": profiles.profile_id.take(pa.array(member)),
        "shortlist_id": draws.picked([None, "shortlist-1"], (random.random(rows) < 0.1).astype(np.int64)),
    })  # fmt: skip
    return lists, items
