"""What the product keeps: account ids, post collections with their items, lists of profiles, keyword jobs.

The same rows go to ClickHouse's replica of the product's database and, narrower, to the serving databases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from devstack.world import draws, links
from devstack.world.channels import Channels
from devstack.world.posts import DAY, POST_TYPES, STORY, Posts
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World

YOUTUBE_ID_OFFSET = 1_000_000_000  # serving ids of channels, apart from those of profiles
COLLECTION_SOURCES = ["GCC_CAMPAIGN", "SAAS", None]
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
    collections: pa.Table  # coffee_replica.post_collection
    items: pa.Table  # coffee_replica.post_collection_item
    posts: np.ndarray  # positions of the Instagram posts that the items name, those that were never scraped left out
    videos: np.ndarray  # the same of the videos


def post_collections(world: World, profiles: Profiles, posts: Posts) -> PostCollections:
    """Post collections whose items are posts of the first chunk of profiles; `with_more_items` adds to them.

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
        "sponsor_links": links.sponsor_links(world, np.arange(rows), random.integers(0, 3, rows)),
        "enabled": pa.array((random.random(rows) < 0.97).astype(np.uint8)),
        "show_in_report": pa.array((random.random(rows) < 0.9).astype(np.uint8)),
        "cost": pa.array(random.integers(0, 200, rows) * 500, mask=random.random(rows) < 0.1),
        "post_link": draws.joined("https://www.instagram.com/p/", item.short_code, "/"),
        "post_thumbnail": draws.joined("https://assets.example/posts/instagram/", item.short_code, ".jpg"),
        "posted_by_cp_id": pa.array(posts.owner[item.post] + 5_000_000),
        "created_at": moments(added),
        "updated_at": moments(added + 60),
    })  # fmt: skip
    return PostCollections(collections, items, np.unique(item.post[~item.unknown]), np.zeros(0, dtype=np.int64))


def with_more_items(
    world: World, made: PostCollections, profiles: Profiles, posts: Posts, channels: Channels, videos: pa.Table
) -> PostCollections:
    """The same collections with videos, with posts and stories of connected owners, and with awkward items.

    A post stands twice in one collection and in two of them, an item names no collection, another no post.
    """
    random = draws.stream(world.seed, "more items of post collections")
    age = (world.as_of_epoch - posts.published) / DAY
    connected = np.flatnonzero(posts.insight & (age < ITEM_DAYS) & (age > 0.5))
    mixed = random.permutation(connected)
    stories_first = mixed[np.argsort(posts.kind[mixed] != STORY, kind="stable")]
    seen = stories_first[: max(world.size.collection_items // 10, 1)]
    published = videos["published_at"].cast(pa.int64()).to_numpy() / 1_000_000
    shown = np.flatnonzero((world.as_of_epoch - published) < ITEM_DAYS * DAY)
    shown = random.permutation(shown)[: max(world.size.collection_items // 6, 1)]
    first_id = made.items.num_rows + 1
    more = pa.concat_tables(
        [
            _connected_items(world, random, first_id, profiles, posts, seen),
            _video_items(world, random, first_id + len(seen), channels, videos, shown),
        ],
        promote_options="default",
    )
    ids = made.collections["id"].combine_chunks()
    more = more.append_column("post_collection_id", ids.take(pa.array(random.integers(0, len(ids), more.num_rows))))
    twice = _awkward_items(first_id + more.num_rows, pa.concat_tables([made.items, more], promote_options="default"))
    items = pa.concat_tables([made.items, more.select(made.items.column_names), twice], promote_options="default")
    return PostCollections(made.collections, items, np.unique(np.concatenate([made.posts, seen])), np.sort(shown))


def _connected_items(
    world: World, random: np.random.Generator, first_id: int, profiles: Profiles, posts: Posts, seen: np.ndarray
) -> pa.Table:
    rows = len(seen)
    number = first_id - 1 + np.arange(rows)
    code = posts.shortcode.take(pa.array(seen))
    added = np.minimum(posts.published[seen] + random.uniform(600, DAY, rows), world.as_of_epoch - 300)
    return pa.table({
        "id": pa.array(number + 1),
        "platform": pa.array(["INSTAGRAM"] * rows, pa.string()),
        "short_code": code,
        "post_type": draws.picked(POST_TYPES, posts.kind[seen]),
        "posted_by_handle": profiles.handle.take(pa.array(posts.owner[seen])),
        "sponsor_links": links.sponsor_links(world, number, random.integers(0, 3, rows)),
        "enabled": pa.array(np.ones(rows, dtype=np.uint8)),
        "show_in_report": pa.array((random.random(rows) < 0.9).astype(np.uint8)),
        "cost": pa.array(random.integers(1, 200, rows) * 500),
        "post_link": draws.joined("https://www.instagram.com/p/", code, "/"),
        "post_thumbnail": draws.joined("https://assets.example/posts/instagram/", code, ".jpg"),
        "posted_by_cp_id": pa.array(posts.owner[seen] + 5_000_000),
        "created_at": moments(added),
        "updated_at": moments(added + 60),
    })  # fmt: skip


def _video_items(
    world: World, random: np.random.Generator, first_id: int, channels: Channels, videos: pa.Table, shown: np.ndarray
) -> pa.Table:
    """Videos; a tenth of them was never scraped."""
    rows = len(shown)
    number = first_id - 1 + np.arange(rows)
    video = videos.take(pa.array(shown))
    unknown = draws.codes(number, draws.salt(world.seed, "videos nobody scraped"))
    code = pa.compute.if_else(
        pa.array(random.random(rows) < UNKNOWN_POSTS), unknown, video["shortcode"].combine_chunks()
    )
    names = dict(zip(channels.channel_id.to_pylist(), channels.custom_url.to_pylist(), strict=True))
    published = video["published_at"].cast(pa.int64()).to_numpy() / 1_000_000
    added = np.minimum(published + random.uniform(600, 3 * DAY, rows), world.as_of_epoch - 300)
    return pa.table({
        "id": pa.array(number + 1),
        "platform": pa.array(["YOUTUBE"] * rows, pa.string()),
        "short_code": code,
        "post_type": pa.array(["video"] * rows, pa.string()),
        "posted_by_handle": pa.array([names[channel] for channel in video["channel_id"].to_pylist()], pa.string()),
        "sponsor_links": links.sponsor_links(world, number, random.integers(0, 3, rows)),
        "enabled": pa.array((random.random(rows) < 0.95).astype(np.uint8)),
        "show_in_report": pa.array((random.random(rows) < 0.9).astype(np.uint8)),
        "cost": pa.array(random.integers(0, 200, rows) * 500, mask=random.random(rows) < 0.1),
        "post_link": draws.joined("https://www.youtube.com/watch?v=", code),
        "post_thumbnail": draws.joined("https://i.ytimg.example/vi/", code, "/default.jpg"),
        "created_at": moments(added),
        "updated_at": moments(added + 60),
    })  # fmt: skip


def _awkward_items(first_id: int, items: pa.Table) -> pa.Table:
    """Copies of the last Instagram items: one again in its collection, one in another, one without collection, code."""
    rows = items.filter(pa.compute.equal(items["platform"], "INSTAGRAM")).slice(items.num_rows // 3, 4).to_pylist()
    other = items["post_collection_id"][0].as_py()
    changes = [{}, {"post_collection_id": other}, {"post_collection_id": None}, {"short_code": None, "cost": None}]
    copies = [
        row | change | {"id": first_id + place} for place, (row, change) in enumerate(zip(rows, changes, strict=False))
    ]
    return pa.Table.from_pylist(copies, schema=items.schema)


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


def with_more_members(world: World, members: pa.Table, profiles: Profiles, channels: Channels) -> pa.Table:
    """The same items of profile lists, with channels, and with profiles that awkward items name.

    A profile stands twice in a list, an item has no social id, another an account that does not exist.
    """
    random = draws.stream(world.seed, "more items of profile collections")
    count = world.size.profile_collections
    rows = min(count * 8, len(channels))
    chosen = random.permutation(len(channels))[:rows]
    added = moments(world.as_of_epoch - random.uniform(1, 60, rows) * DAY)
    number = members.num_rows + np.arange(rows)
    more = pa.table({
        "id": pa.array(number + 1),
        "platform": pa.array(["YOUTUBE"] * rows, pa.string()),
        "platform_account_code": pa.array(channels.number[chosen] + YOUTUBE_ID_OFFSET),
        "profile_collection_id": pa.array(random.integers(0, count, rows) + 1),
        "hidden": pa.array((random.random(rows) < 0.03).astype(np.uint8)),
        "enabled": pa.array((random.random(rows) < 0.95).astype(np.uint8)),
        "custom_columns": pa.array(["{}"] * rows, pa.string()),
        "rank": pa.array(np.arange(rows) % 20 + 1),
        "created_by": pa.array(["user"] * rows, pa.string()),
        "created_at": added,
        "updated_at": added,
        "partner_id": pa.array(np.array(PARTNERS)[random.integers(0, len(PARTNERS), rows)]),
        "profile_social_id": draws.with_nulls(channels.channel_id.take(pa.array(chosen)), random.random(rows) < 0.05),
        "campaign_profile_id": pa.array(channels.number[chosen] + 6_000_000, mask=random.random(rows) < 0.7),
        "shortlisting_status": draws.picked(["SHORTLISTED", None], random.integers(0, 2, rows)),
        "shortlist_id": draws.picked([None, "shortlist-2"], (random.random(rows) < 0.1).astype(np.int64)),
    })  # fmt: skip
    template = members.slice(0, 4).to_pylist()
    changes = [
        {"updated_at": template[0]["updated_at"]},
        {"profile_social_id": ""},
        {"platform_account_code": 99_999_999, "profile_social_id": "99999999999"},
        {"platform_account_code": None, "campaign_profile_id": int(profiles.number[3]) + 5_000_000},
    ]
    awkward = [
        row | change | {"id": int(members.num_rows + rows + place + 1)}
        for place, (row, change) in enumerate(zip(template, changes, strict=False))
    ]
    joined = pa.concat_tables([members, more], promote_options="default")
    return pa.concat_tables([joined, pa.Table.from_pylist(awkward, schema=joined.schema)])


def staging_twins(ids: pa.Table, channel_ids: pa.Table, items: pa.Table, members: pa.Table) -> dict[str, pa.Table]:
    """The product's staging database: some of production's rows of both platforms, in the columns that staging has."""
    twin = pa.concat_tables([
        items.slice(0, 60),
        items.filter(pa.compute.equal(items["platform"], "YOUTUBE")).slice(0, 20),
        items.slice(items.num_rows - 4),
    ]).drop_columns(["posted_by_cp_id"])  # fmt: skip
    member = pa.concat_tables([members.slice(0, 60), members.slice(members.num_rows - 50)])
    return {
        "coffee_stage.view_instagram_account_lite": ids.slice(0, 200),
        "coffee_stage.view_youtube_account_lite": channel_ids.slice(0, 60),
        "coffee_stage.post_collection_item": twin.append_column(
            "retrieve_data", pa.array((np.arange(twin.num_rows) % 8 != 7).astype(np.uint8))
        ),
        "coffee_stage.profile_collection_item": member.select(
            ["id", "platform", "profile_collection_id", "profile_social_id", "shortlist_id"]
        ),
    }
