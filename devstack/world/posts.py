"""Instagram posts of a chunk of profiles: when, what kind, and what they earned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from devstack.world import draws, special
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World
from devstack.world.vocabulary import CAPTIONS, LANGUAGES, rendered

POSTS_PER_PROFILE = 64  # upper bound, so that profile number and position make a unique number
POST_TYPES = ["reels", "image", "carousel", "story"]
REELS, IMAGE, CAROUSEL, STORY = range(4)
DAY = 86_400
_HOUR_WEIGHTS = np.array([1, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 7, 6, 5, 6, 8, 10, 12, 13, 12, 9, 5, 2], dtype=float)
_CAPTION_POOLS = [rendered(CAPTIONS[language], 1 + 600 // len(CAPTIONS[language])) for language in LANGUAGES]
_CAPTION_STARTS = np.cumsum([0] + [len(pool) for pool in _CAPTION_POOLS])
_ALL_CAPTIONS = pa.array([caption for pool in _CAPTION_POOLS for caption in pool], pa.string())


@dataclass(frozen=True)
class Posts:
    """Posts in the order of their owners; `owner` is the position within the chunk of profiles."""

    owner: np.ndarray
    number: np.ndarray  # unique in the world
    kind: np.ndarray  # index into POST_TYPES
    published: np.ndarray  # epoch seconds
    likes: np.ndarray
    comments: np.ndarray
    plays: np.ndarray  # 0 unless reels
    shortcode: pa.Array  # digits only for stories
    post_id: pa.Array
    caption: pa.Array
    insight: np.ndarray  # the owner is connected: reach and the like are known

    def __len__(self) -> int:
        return len(self.owner)


def of(world: World, profiles: Profiles) -> Posts:
    """All posts of a chunk of profiles."""
    start = int(profiles.number[0])
    random = draws.stream(world.seed, "posts", start)
    per_profile = _posts_per_profile(random, profiles, first=start == 0)
    owner = np.repeat(np.arange(len(profiles)), per_profile)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(per_profile) - per_profile, per_profile)
    kind = _kinds(random, profiles, owner, position, first=start == 0)
    published = _publish_times(world, random, len(profiles), owner, position)
    likes, comments, plays = _reactions(random, profiles.followers[owner], kind)
    if start == 0:
        _copy_to_tied(owner, kind, published, likes, comments, plays)
    number = profiles.number[owner] * POSTS_PER_PROFILE + position
    shortcode = draws.codes(number, draws.salt(world.seed, "shortcodes"))
    media = draws.texts(3_000_000_000_000_000_000 + number * 7_919)
    is_story = kind == STORY
    language = profiles.language[owner]
    pick = _CAPTION_STARTS[language] + (
        random.random(len(owner)) * (_CAPTION_STARTS[language + 1] - _CAPTION_STARTS[language])
    ).astype(np.int64)
    return Posts(
        owner=owner,
        number=number,
        kind=kind,
        published=published,
        likes=likes,
        comments=comments,
        plays=plays,
        shortcode=pa.compute.if_else(pa.array(is_story), media, shortcode),
        post_id=draws.joined(media, "_", profiles.profile_id.take(pa.array(owner))),
        caption=_ALL_CAPTIONS.take(pa.array(pick)),
        insight=profiles.connected[owner],
    )


def _posts_per_profile(random: np.random.Generator, profiles: Profiles, *, first: bool) -> np.ndarray:
    """About 20 on average; 60 % of the profiles have the 12 reels and 12 others that summaries are designed for."""
    rows = len(profiles)
    full = random.random(rows) < 0.6
    count = np.where(full, 24 + random.poisson(4.5, rows), random.poisson(7, rows))
    if first:
        count[special.ONLY_REELS] = count[special.ONLY_IMAGES] = 15
        count[special.TIED] = count[special.TIED_ON_PLAYS_TOO] = 26
    count = np.where(profiles.scraped & ~profiles.is_private, count, 0)
    return np.minimum(count, POSTS_PER_PROFILE)


def _kinds(
    random: np.random.Generator, profiles: Profiles, owner: np.ndarray, position: np.ndarray, *, first: bool
) -> np.ndarray:
    # Reels and others take turns, so a profile with 24 posts has twelve of each; stories come beyond that.
    still = np.where(random.random(len(owner)) < 0.6, IMAGE, CAROUSEL)
    kind = np.where((position + owner) % 2 == 0, REELS, still)
    kind = np.where((position >= 24) & (random.random(len(owner)) < 0.35), STORY, kind)
    if first:
        kind[np.isin(owner, np.array(special.ONLY_REELS))] = REELS
        kind[np.isin(owner, np.array(special.ONLY_IMAGES))] = IMAGE
    return kind


def _publish_times(
    world: World, random: np.random.Generator, profiles: int, owner: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Newest first: the first within 30 days for 80 % of the profiles, then one each 2 to 14 days, mostly evenings."""
    recent = random.random(profiles) < 0.8
    newest = np.where(recent, random.exponential(4, profiles) % 30, random.uniform(30, 120, profiles))
    gap = np.exp(random.uniform(np.log(2), np.log(14), profiles))
    steps = np.where(position == 0, newest[owner], random.exponential(1.0, len(owner)) * gap[owner])
    total = np.cumsum(steps)
    first_of_owner = position == 0
    before = np.where(first_of_owner, total - steps, 0.0)
    days = total - np.maximum.accumulate(before)
    day = np.floor(world.as_of_epoch / DAY - np.minimum(days, 390))
    hour = random.choice(24, len(owner), p=_HOUR_WEIGHTS / _HOUR_WEIGHTS.sum())
    moment = day * DAY + hour * 3_600 + random.integers(0, 3_600, len(owner))
    return np.minimum(moment, world.as_of_epoch - 900 - random.integers(0, 3_600, len(owner))).astype(np.int64)


def _reactions(
    random: np.random.Generator, followers: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = len(followers)
    median = 0.03 * (np.maximum(followers, 50) / 5_000.0) ** -0.25
    rate = np.clip(median * np.exp(random.normal(0, 0.5, rows)), 0.0005, 0.25)
    plays = np.clip(0.35 * np.exp(random.normal(0, 0.8, rows)), 0.05, 20) * followers
    reels_likes = plays * random.uniform(0.02, 0.08, rows)
    likes = np.where(kind == REELS, reels_likes, followers * rate * 0.97)
    comments = likes * random.uniform(0.005, 0.04, rows)
    plays = np.where(kind == REELS, plays, 0)
    return likes.astype(np.int64), comments.astype(np.int64), plays.astype(np.int64)


def _copy_to_tied(owner: np.ndarray, *columns: np.ndarray) -> None:
    """Give the profiles that tie on plays the posts of the first of them, in place."""
    source = owner == special.TIED_ON_PLAYS_TOO.start
    for follower in special.TIED_ON_PLAYS_TOO[1:]:
        for column in columns:
            column[owner == follower] = column[source]


def post_table(world: World, profiles: Profiles, posts: Posts) -> pa.Table:
    """Rows of `beat_replica.instagram_post_simple`."""
    rows = len(posts)
    random = draws.stream(world.seed, "instagram_post_simple", int(profiles.number[0]))
    owner = pa.array(posts.owner)
    handle, profile_id = profiles.handle.take(owner), profiles.profile_id.take(owner)
    story, reels, insight = posts.kind == STORY, posts.kind == REELS, posts.insight
    reach = estimated_reach(posts, profiles.followers[posts.owner])
    impressions = (reach * random.uniform(1.05, 1.4, rows)).astype(np.int64)
    # A post is scraped again and again while it is young; later it keeps its last state.
    settled = posts.published + random.uniform(10, 20, rows) * DAY
    updated = np.minimum(settled, world.as_of_epoch - random.uniform(60, 3 * DAY, rows))
    updated = np.maximum(updated, np.minimum(posts.published + 600, world.as_of_epoch - 30))
    picture = draws.joined("https://scontent.cdninstagram.example/v/t51/", posts.post_id, ".jpg")
    thumbnail = random.choice(4, rows, p=[0.94, 0.02, 0.02, 0.02])

    def insights_only(values: np.ndarray, where: np.ndarray | None = None) -> pa.Array:
        shown = insight if where is None else insight & where
        return pa.array(values.astype(np.int64), mask=~shown)

    story_views = (profiles.followers[posts.owner] * random.uniform(0.02, 0.08, rows)).astype(np.int64)
    return pa.table({
        "id": pa.array(posts.number + 1),
        "profile_id": draws.with_nulls(profile_id, random.random(rows) < 0.002),
        "handle": handle,
        "post_id": posts.post_id,
        "post_type": draws.picked(POST_TYPES, posts.kind),
        "caption": draws.with_nulls(posts.caption, story),
        "likes": pa.array(posts.likes, mask=story),
        "comments": pa.array(posts.comments, mask=story | (random.random(rows) < 0.01)),
        "views": pa.array(np.zeros(rows, dtype=np.int64), mask=~reels | (random.random(rows) < 0.5)),
        "plays": pa.array(posts.plays, mask=~reels),
        "reach": insights_only(np.where(story, story_views * 0.92, reach)),
        "impressions": insights_only(np.where(story, story_views, impressions)),
        "saved": insights_only(posts.likes * random.uniform(0.005, 0.04, rows), ~story),
        "shares": insights_only(posts.likes * random.uniform(0.005, 0.03, rows), ~story),
        "interactions": insights_only(posts.likes + posts.comments, ~story),
        "engagement": pa.array((posts.likes + posts.comments).astype(np.float64), mask=~insight | story),
        "shortcode": posts.shortcode,
        "display_url": draws.with_nulls(picture, random.random(rows) < 0.02),
        "thumbnail_url": pa.compute.choose(pa.array(thumbnail), picture, "None", "", pa.scalar(None, pa.string())),
        "updated_at": moments(updated),
        "created_at": moments(np.minimum(posts.published + random.uniform(300, DAY, rows), updated)),
        "publish_time": moments(posts.published),
        "content_type": draws.with_nulls(draws.picked(["image", "video"], random.integers(0, 2, rows)), ~story),
        "taps_forward": insights_only(story_views * random.uniform(0.6, 0.9, rows), story),
        "taps_back": insights_only(story_views * random.uniform(0.03, 0.1, rows), story),
        "exits": insights_only(story_views * random.uniform(0.05, 0.15, rows), story),
        "replies": insights_only(story_views * random.uniform(0, 0.001, rows), story),
        "profile_follower": pa.array(profiles.followers[posts.owner], mask=~story),
        "profile_er": pa.array(random.uniform(0.5, 9, rows).round(2), mask=~story),
    })  # fmt: skip


def estimated_reach(posts: Posts, followers: np.ndarray) -> np.ndarray:
    """Estimated reach by the formulas of spec/scrape_flows.md 2.3; 0 where there is nothing to estimate from."""
    reels = posts.plays * (0.94 - 0.001 * np.log2(np.maximum(followers, 1)))
    still = posts.likes * 0.85 * (7.6 - 0.7 * np.log10(np.maximum(posts.likes, 1)))
    return np.where(posts.kind == REELS, reels, still).astype(np.int64)
