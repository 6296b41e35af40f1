"""Comments and likes of collected posts and videos, in the scraper's table and as events, and what their mood is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.beat.log_entries import COMMENT, LIKE, PostActivity, Sentiment
from devstack.beat.phrases import COMMENTS
from devstack.world import draws, timeline
from devstack.world.core import Core
from devstack.world.posts import STORY
from devstack.world.profiles import moments
from devstack.world.timeline import DAY, Timeline

PER_POST = 3  # comments on average; a third of the posts was not read for comments yet
LIKE_SHARE = 0.12
WITHOUT_SENTIMENT = 0.15


@dataclass(frozen=True)
class Activities:
    """Comments and likes by number; `post` is the position of a collected post, videos stand behind the posts."""

    core: Core
    shortcode: list[str]
    youtube: np.ndarray
    like: np.ndarray
    actor: list[str | None]
    actor_name: list[str]
    text: np.ndarray  # index into COMMENTS
    written: np.ndarray  # epoch seconds
    read: np.ndarray
    order: Timeline

    def __len__(self) -> int:
        return len(self.read)


def of(core: Core) -> Activities:
    world = core.world
    random = draws.stream(world.seed, "comments")
    owned = core.collected.posts[core.posts.kind[core.collected.posts] != STORY]
    videos = core.videos.take(pa.array(core.collected.videos))
    codes = core.posts.shortcode.take(pa.array(owned)).to_pylist() + videos["shortcode"].to_pylist()
    published = np.concatenate(
        [core.posts.published[owned], videos["published_at"].cast(pa.int64()).to_numpy() // 10**6]
    )
    read_at_all = random.random(len(codes)) < 2 / 3
    count = np.where(read_at_all, random.poisson(PER_POST, len(codes)), 0)
    post = np.repeat(np.arange(len(codes)), count)
    rows = len(post)
    written = np.minimum(published[post] + random.exponential(DAY, rows), world.as_of_epoch - 900).astype(np.int64)
    written = np.maximum(written, published[post])
    read = np.minimum(written + random.uniform(60, 3 * DAY, rows), world.as_of_epoch - 30).astype(np.int64)
    actors = random.integers(0, len(core.profiles), rows)
    ids, handles = core.profiles.profile_id.to_pylist(), core.profiles.handle.to_pylist()
    youtube = post >= len(owned)
    channel_ids = core.channels.channel_id.to_pylist()
    return Activities(
        core=core,
        shortcode=[codes[position] for position in post.tolist()],
        youtube=youtube,
        like=(random.random(rows) < LIKE_SHARE) & ~youtube,
        actor=[
            channel_ids[who % len(channel_ids)] if tube else None if who % 37 == 0 else ids[who]
            for who, tube in zip(actors.tolist(), youtube.tolist(), strict=True)
        ],
        actor_name=[handles[who] for who in actors.tolist()],
        text=random.integers(0, len(COMMENTS), rows),
        written=written,
        read=read,
        order=timeline.published(world, "comments", 0, np.arange(rows), read),
    )


def table(made: Activities) -> pa.Table:
    """Rows of `beat_replica.post_activity_log`; its JSON columns are arrays of key and value."""
    rows = np.arange(len(made))
    parts = [_payload(made, number) for number in rows.tolist()]
    return pa.table({
        "id": pa.array(rows + 1),
        "activity_type": pa.array([LIKE if like else COMMENT for like in made.like.tolist()], pa.string()),
        "platform": pa.array([_platform(made, number) for number in rows.tolist()], pa.string()),
        "platform_post_id": pa.array(made.shortcode, pa.string()),
        "actor_profile_id": pa.array(made.actor, pa.string()),
        "dimensions": pa.array([_pairs(dimensions) for _, dimensions in parts], pa.string()),
        "metrics": pa.array([_pairs(metrics) for metrics, _ in parts], pa.string()),
        "source": pa.array([_provider(made, number) for number in rows.tolist()], pa.string()),
        "timestamp": moments(made.read),
    })  # fmt: skip


def messages(made: Activities) -> Iterator[events.Message]:
    """post_activity_log messages in publishing order. Likes have no time of their own."""
    world = made.core.world
    identity = draws.event_ids(made.order.event, draws.salt(world.seed, world.as_of_epoch, "comments")).to_pylist()
    written, read = timeline.texts(made.written), timeline.texts(made.order.moment)
    for row, number in enumerate(made.order.event.tolist()):
        metrics, dimensions = _payload(made, number)
        yield PostActivity(
            event_id=identity[row],
            source=_provider(made, number),
            activity_type=LIKE if made.like[number] else COMMENT,
            platform=_platform(made, number),
            actor_profile_id=made.actor[number],
            shortcode=made.shortcode[number],
            publish_time=None if made.like[number] else written[number],
            event_timestamp=read[row],
            metrics=metrics,
            dimensions=dimensions,
        ).message()


def moods(made: Activities) -> Timeline:
    """Most comments were given to the language model, a moment after they were read; in publishing order."""
    world = made.core.world
    random = draws.stream(world.seed, "sentiments")
    rows = np.flatnonzero(~made.like & (random.random(len(made)) >= WITHOUT_SENTIMENT))
    return timeline.published(world, "sentiments", 0, rows, np.minimum(made.read[rows] + 20, world.as_of_epoch - 5))


def sentiments(made: Activities, order: Timeline) -> Iterator[events.Message]:
    """sentiment_log messages of these comments."""
    world = made.core.world
    identity = draws.event_ids(order.event, draws.salt(world.seed, world.as_of_epoch, "sentiments")).to_pylist()
    for row, (number, moment) in enumerate(zip(order.entity.tolist(), timeline.texts(order.moment), strict=True)):
        text, mood, score = COMMENTS[int(made.text[number])]
        yield Sentiment(
            event_id=identity[row],
            platform=_platform(made, number),
            shortcode=made.shortcode[number],
            comment_id=_comment_id(number),
            comment=text,
            sentiment=mood,
            score=score,
            event_timestamp=moment,
            metrics={},
            dimensions={},
        ).message()


def _payload(made: Activities, number: int) -> tuple[dict[str, object], dict[str, object]]:
    name = made.actor_name[number]
    if made.like[number]:
        return {}, {"handle": name, "full_name": name.title(), "is_private": False, "is_verified": number % 50 == 0}
    text = COMMENTS[int(made.text[number])][0]
    metrics: dict[str, object] = {"likes": number % 13, "comments": number % 3}
    dimensions = {"comment_id": _comment_id(number), "text": text, "taken_at_timestamp": int(made.written[number])}
    if made.youtube[number]:
        return metrics, dimensions | {"channel_title": name.title(), "thumbnail": f"https://yt3.example/{number}=s48"}
    return metrics | {"comments_thread": []}, dimensions | {
        "handle": name,
        "profile_pic_url": None,
        "is_verified": False,
    }


def _comment_id(number: int) -> str:
    return str(17_900_000_000_000_000 + number * 7_919)


def _platform(made: Activities, number: int) -> str:
    return events.YOUTUBE if made.youtube[number] else events.INSTAGRAM


def _provider(made: Activities, number: int) -> str:
    return "ytapi" if made.youtube[number] else ("rapidapi-jotucker", "rocketapi")[number % 2]


def _pairs(values: dict[str, object]) -> str:
    return orjson.dumps([{"key": key, "value": value} for key, value in values.items()]).decode()
