"""The log events of a chunk of Instagram profiles: the profiles over 13 months, and their young posts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

from devstack.beat import events
from devstack.world import decorations, draws, special, timeline
from devstack.world.posts import POST_TYPES, REELS, STORY, Posts
from devstack.world.profiles import Profiles
from devstack.world.size import World
from devstack.world.timeline import DAY, Timeline
from devstack.world.vocabulary import INSTAGRAM_SOURCES

YOUNG_POST_DAYS = 14


def profile_timeline(world: World, profiles: Profiles) -> Timeline:
    """Scrapes of the tracked profiles, in publishing order."""
    chunk = int(profiles.number[0])
    random = draws.stream(world.seed, "instagram scrapes", chunk)
    return timeline.published(
        world, events.PROFILE_LOG, chunk, *timeline.scrapes(world, random, np.flatnonzero(profiles.tracked))
    )


def post_timeline(world: World, profiles: Profiles, posts: Posts) -> Timeline:
    """One snapshot of every post of the last two weeks of the tracked profiles, in publishing order."""
    chunk = int(profiles.number[0])
    random = draws.stream(world.seed, "instagram post scrapes", chunk)
    young = posts.published > world.as_of_epoch - YOUNG_POST_DAYS * DAY
    entity = np.flatnonzero(young & profiles.tracked[posts.owner])
    moment = posts.published[entity] + random.uniform(600, DAY, len(entity))
    return timeline.published(
        world, events.POST_LOG, chunk, entity, np.minimum(moment, world.as_of_epoch - 5).astype(np.int64)
    )


def profile_messages(world: World, profiles: Profiles, scrapes: Timeline) -> Iterator[events.Message]:
    """profile_log messages. Follower counts are those of the moment; a renamed profile had its former handle then."""
    chunk = int(profiles.number[0])
    days_before = (world.as_of_epoch - scrapes.moment) / DAY
    followers = profiles.growth.at(scrapes.entity, days_before).tolist()
    event_id = draws.event_ids(
        scrapes.event, draws.salt(world.seed, world.as_of_epoch, "instagram profile_log", chunk)
    ).to_pylist()
    source = sources(scrapes.event)
    former = (days_before > special.RENAMED_DAYS_AGO).tolist()
    known, following = profiles.followers_known.tolist(), profiles.following.tolist()
    media = np.maximum(profiles.media_count[scrapes.entity] - (days_before / 4).astype(np.int64), 0).tolist()
    profile_id, handle = profiles.profile_id.to_pylist(), profiles.handle.to_pylist()
    former_handle = profiles.former_handle.to_pylist()
    dimensions = _dimensions(profiles)
    for row, (account, moment) in enumerate(zip(scrapes.entity.tolist(), timeline.texts(scrapes.moment), strict=True)):
        then = handle[account]
        described = dimensions[account]
        if former[row] and former_handle[account] is not None:
            then = former_handle[account]
            described = orjson.dumps(orjson.loads(described) | {"handle": then})
        yield events.profile_log(
            event_id=event_id[row],
            source=source[row],
            platform=events.INSTAGRAM,
            profile_id=profile_id[account],
            handle=then,
            event_timestamp=moment,
            metrics={
                "followers": followers[row] if known[account] else None,
                "following": following[account],
                "media_count": media[row],
            },
            dimensions=orjson.Fragment(described),
        )


def post_messages(world: World, profiles: Profiles, posts: Posts, snapshots: Timeline) -> Iterator[events.Message]:
    """post_log messages; a young post has earned a part of its final reactions."""
    chunk = int(profiles.number[0])
    picked = snapshots.entity
    share = np.clip((snapshots.moment - posts.published[picked]) / (4 * DAY), 0.05, 1.0)
    likes, comments, plays = (
        (values[picked] * share).astype(np.int64).tolist() for values in (posts.likes, posts.comments, posts.plays)
    )
    event_id = draws.event_ids(
        snapshots.event, draws.salt(world.seed, world.as_of_epoch, "instagram post_log", chunk)
    ).to_pylist()
    kind, owner, published = posts.kind[picked].tolist(), posts.owner[picked].tolist(), posts.published[picked].tolist()
    shortcode, post_id = (column.take(picked).to_pylist() for column in (posts.shortcode, posts.post_id))
    caption = posts.caption.take(picked).to_pylist()
    source = sources(snapshots.event)
    profile_id, handle = profiles.profile_id.to_pylist(), profiles.handle.to_pylist()
    more = decorations.of(world, profiles, posts, picked, source)
    published_text, moment = timeline.texts(posts.published[picked]), timeline.texts(snapshots.moment)
    for row, account in enumerate(owner):
        metrics: dict[str, int] = {"likes": likes[row], "comments": comments[row]}
        if kind[row] == REELS:
            metrics["play_count"] = plays[row]
        if kind[row] == STORY:
            metrics = {"profile_follower": int(profiles.growth.today[account])}
        yield events.post_log(
            event_id=event_id[row],
            source=source[row],
            platform=events.INSTAGRAM,
            profile_id=profile_id[account],
            handle=handle[account],
            shortcode=shortcode[row],
            publish_time=published_text[row],
            event_timestamp=moment[row],
            metrics=metrics,
            dimensions=orjson.Fragment(
                events.instagram_post(
                    profile_id=profile_id[account],
                    handle=handle[account],
                    post_id=post_id[row],
                    post_type=POST_TYPES[kind[row]],
                    caption=caption[row],
                    picture=f"https://scontent.cdninstagram.example/v/t51/{post_id[row]}.jpg",
                    published=published[row],
                    more=more[row],
                )
            ),
        )


def sources(event: np.ndarray) -> list[str]:
    """Provider by number of the event and not by row: a duplicate repeats its event in every respect."""
    return [INSTAGRAM_SOURCES[index] for index in (event % len(INSTAGRAM_SOURCES)).tolist()]


def _dimensions(profiles: Profiles) -> list[bytes]:
    columns = zip(
        profiles.profile_id.to_pylist(),
        profiles.handle.to_pylist(),
        profiles.full_name.to_pylist(),
        profiles.biography.to_pylist(),
        profiles.picture().to_pylist(),
        profiles.profile_type.to_pylist(),
        profiles.is_private.tolist(),
        profiles.is_verified.tolist(),
        strict=True,
    )
    names = ("profile_id", "handle", "full_name", "biography", "picture", "profile_type", "is_private", "is_verified")
    return [events.instagram_profile(**dict(zip(names, values, strict=True))) for values in columns]
