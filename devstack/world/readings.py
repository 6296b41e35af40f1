"""The readings of collected posts and videos: about one a day while they are young, with days that have none.

Counters grow towards those of the replica, and now and then a provider sends 0, a smaller number, a number as text or
nothing. Owners with a token have insights beside, which name no owner. A story that is gone is told once more, empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.world import decorations, draws, instagram_events, posts, timeline
from devstack.world.core import Core
from devstack.world.posts import POST_TYPES, REELS, STORY
from devstack.world.timeline import DAY, Timeline
from devstack.world.youtube_events import video_dimensions

DAYS = 12
SKIPPED_DAYS = 0.2
HOLE = (4, 7)  # days of every third post on which it was not read at all
READING, INSIGHT, GONE = range(3)
_STORY_HOURS = (4, 20)
_SLICE = 10_000  # messages that are prepared at once
_POST_INSIGHTS = {name: name for name in ("likes", "comments", "reach", "impressions", "shares", "saved")}
_STORY_INSIGHTS = {"reach": "reach", "impressions": "impressions", "replies": "replies",
                   "tap_forward": "taps_forward", "tap_back": "taps_back", "tap_exit": "exits"}  # fmt: skip
_COLUMNS = ["shortcode", "post_id", "caption", "display_url", "publish_time", "engagement", "profile_follower",
            "profile_er", *_POST_INSIGHTS, "replies", "taps_forward", "taps_back", "exits"]  # fmt: skip


@dataclass(frozen=True)
class Readings:
    """Of the collected posts of a world; `kind` and `entity` are by number of the event."""

    core: Core
    entity: np.ndarray  # position of the post, or of the video + number of posts
    kind: np.ndarray  # READING, INSIGHT or GONE
    order: Timeline  # its entities are numbers of events

    def __len__(self) -> int:
        return len(self.order)

    def messages(self) -> Iterator[events.Message]:
        """post_log messages in publishing order."""
        world = self.core.world
        salt = draws.salt(world.seed, world.as_of_epoch, "readings of collected posts")
        for start in range(0, len(self.order), _SLICE):
            part = slice(start, start + _SLICE)
            numbers, moments = self.order.entity[part], self.order.moment[part]
            source = instagram_events.sources(numbers)
            owned = np.where(self.entity[numbers] < len(self.core.posts), self.entity[numbers], 0)
            more = decorations.of(world, self.core.profiles, self.core.posts, owned, source)
            columns = (
                numbers.tolist(),
                moments.tolist(),
                draws.event_ids(self.order.event[part], salt).to_pylist(),
                timeline.texts(moments),
                source,
                more,
            )
            for reading in zip(*columns, strict=True):
                yield self._message(*reading)

    def _message(
        self, event: int, moment: int, identity: str, text: str, source: str, more: dict[str, object]
    ) -> events.Message:
        entity, kind = int(self.entity[event]), int(self.kind[event])
        if entity >= len(self.core.posts):
            return self._video(entity - len(self.core.posts), event, moment, identity, text)
        if kind == GONE:
            return self._gone(entity, identity, text)
        share = min(max((moment - int(self.core.posts.published[entity])) / (4 * DAY), 0.05), 1.0)
        if kind == INSIGHT:
            return self._insight(entity, event, share, identity, text)
        return self._reading(entity, event, share, identity, text, source, more)

    @cached_property
    def _rows(self) -> dict[int, dict[str, object]]:
        """Rows of the replica by position of the post."""
        core = self.core
        picked = core.collected.posts
        table = posts.post_table(core.world, core.profiles, core.posts).select(_COLUMNS).take(pa.array(picked))
        return dict(zip(picked.tolist(), table.to_pylist(), strict=True))

    @cached_property
    def _videos(self) -> dict[int, dict[str, object]]:
        picked = self.core.collected.videos
        return dict(zip(picked.tolist(), self.core.videos.take(pa.array(picked)).to_pylist(), strict=True))

    @cached_property
    def _owners(self) -> tuple[list[str], list[str]]:
        return self.core.profiles.profile_id.to_pylist(), self.core.profiles.handle.to_pylist()

    def _reading(
        self, entity: int, event: int, share: float, identity: str, text: str, source: str, more: dict[str, object]
    ) -> events.Message:
        row, owner, kind = self._rows[entity], int(self.core.posts.owner[entity]), int(self.core.posts.kind[entity])
        ids, handles = self._owners
        metrics = _seen_of_story(row, event) if kind == STORY else _seen(self.core, entity, kind, share, event)
        return events.post_log(
            event_id=identity,
            source=source,
            platform=events.INSTAGRAM,
            profile_id=ids[owner],
            handle=handles[owner],
            shortcode=row["shortcode"],
            publish_time=row["publish_time"].strftime("%Y-%m-%d %H:%M:%S"),
            event_timestamp=text,
            metrics=_as_text(metrics) if source == "rocketapi" else metrics,
            dimensions=orjson.Fragment(
                events.instagram_post(
                    profile_id=ids[owner],
                    handle=handles[owner],
                    post_id=row["post_id"],
                    post_type=POST_TYPES[kind],
                    caption=row["caption"],
                    picture=row["display_url"],
                    published=int(self.core.posts.published[entity]),
                    more=more,
                )
            ),
        )

    def _insight(self, entity: int, event: int, share: float, identity: str, text: str) -> events.Message:
        row = self._rows[entity]
        story = int(self.core.posts.kind[entity]) == STORY
        names = _STORY_INSIGHTS if story else _POST_INSIGHTS
        metrics = {name: _part(row[column], share) for name, column in names.items()}
        more = {"shares": event % 4, "swipe_up": event % 3, "navigation": event % 50} if story else {
            "engagement": row["engagement"]
        }  # fmt: skip
        return events.post_log(
            event_id=identity,
            source="graphapi",
            platform=events.INSTAGRAM,
            profile_id="TODO",
            handle=None,
            shortcode=row["shortcode"],
            publish_time=None,
            event_timestamp=text,
            metrics=metrics | more,
            dimensions={"post_id": row["post_id"]},
        )

    def _gone(self, entity: int, identity: str, text: str) -> events.Message:
        row, owner = self._rows[entity], int(self.core.posts.owner[entity])
        ids, handles = self._owners
        described = {
            "profile_id": ids[owner],
            "handle": handles[owner],
            "post_id": row["post_id"],
            "post_type": "story",
        }
        return events.post_log(
            event_id=identity,
            source="",
            platform=events.INSTAGRAM,
            profile_id=ids[owner],
            handle=handles[owner],
            shortcode=row["shortcode"],
            publish_time=None,
            event_timestamp=text,
            metrics={"profile_follower": row["profile_follower"], "profile_er": row["profile_er"],
                     "profile_static_er": None, "profile_reels_er": None},
            dimensions=described,
        )  # fmt: skip

    def _video(self, place: int, event: int, moment: int, identity: str, text: str) -> events.Message:
        video = self._videos[place]
        published = int(video["published_at"].replace(tzinfo=self.core.world.as_of.tzinfo).timestamp())
        share = min(max((moment - published) / (5 * DAY), 0.05), 1.0)
        views = "play_count" if event % 17 == 3 else "view_count"
        metrics = {
            views: 0 if event % 23 == 9 else _part(video["views"], share),
            "likes": _part(video["likes"], share),
            "comments": _part(video["comments"], share),
            "favourite_count": 0,
        }
        return events.post_log(
            event_id=identity,
            source=("ytapi", "rapidapi-yt")[event % 5 == 4],
            platform=events.YOUTUBE,
            profile_id=video["channel_id"],
            handle=None,
            shortcode=video["shortcode"],
            publish_time=video["published_at"].strftime("%Y-%m-%d %H:%M:%S"),
            event_timestamp=text,
            metrics=_as_text(metrics) if event % 19 == 0 else metrics,
            dimensions=orjson.Fragment(video_dimensions(video, published)),
        )


def of(core: Core) -> Readings:
    """All readings of a world's collected posts and videos."""
    world, collected = core.world, core.collected
    random = draws.stream(world.seed, "readings of collected posts")
    stories = collected.posts[core.posts.kind[collected.posts] == STORY]
    others = collected.posts[core.posts.kind[collected.posts] != STORY]
    videos = collected.videos
    published = core.videos["published_at"].cast(pa.int64()).to_numpy()[videos] // 1_000_000
    parts = [
        (others, READING, *_days(random, core.posts.published[others])),
        (videos + len(core.posts), READING, *_days(random, published)),
        (stories, READING, *_hours(random, core.posts.published[stories])),
        (stories[::2], GONE, *_once(core.posts.published[stories[::2]] + 2 * DAY)),
    ]
    for told, first_day, moments in (
        (others[core.posts.insight[others]], 1, _days),
        (stories[core.posts.insight[stories]], 0, _hours),
    ):
        row, moment = moments(random, core.posts.published[told])
        # Every second post has insights from its first day on, the others from the second.
        late = moment < core.posts.published[told][row] + first_day * DAY
        kept = ~(late & (told[row] % 2 == 1))
        parts.append((told, INSIGHT, row[kept], moment[kept]))
    entity = np.concatenate([entities[row] for entities, _, row, _ in parts])
    kind = np.concatenate([np.full(len(row), what) for _, what, row, _ in parts])
    moment = np.concatenate([moments for *_, moments in parts])
    happened = moment < world.as_of_epoch - 60
    entity, kind, moment = entity[happened], kind[happened], moment[happened].astype(np.int64)
    order = timeline.published(world, "readings of collected posts", 0, np.arange(len(entity)), moment)
    return Readings(core, entity, kind, order)


def _days(random: np.random.Generator, published: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and time of a reading on each day from publishing on, without the skipped days and the holes."""
    day = np.arange(DAYS)
    moment = published[:, None] + (day + random.uniform(0.05, 0.9, (len(published), DAYS))) * DAY
    kept = random.random(moment.shape) >= SKIPPED_DAYS
    kept[::3, HOLE[0] : HOLE[1]] = False
    kept[:, 0] = True
    return np.nonzero(kept)[0], moment[kept]


def _hours(random: np.random.Generator, published: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moment = published[:, None] + (np.array(_STORY_HOURS) + random.random((len(published), 2))) * 3_600
    return np.repeat(np.arange(len(published)), 2), moment.ravel()


def _once(moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(moment)), moment


def _seen(core: Core, entity: int, kind: int, share: float, event: int) -> dict[str, object]:
    """Counters of a public reading; some are 0, fallen or missing."""
    fallen = 0.9 if event % 21 == 5 else 1.0
    lost = event % 25 == 7
    metrics: dict[str, object] = {
        "likes": 0 if lost else int(core.posts.likes[entity] * share * fallen),
        "comments": None if event % 31 == 2 else int(core.posts.comments[entity] * share),
    }
    if kind == REELS:
        metrics["play_count"] = 0 if lost else int(core.posts.plays[entity] * share)
    return metrics


def _seen_of_story(row: dict[str, object], event: int) -> dict[str, object]:
    """A public reading of a story knows its owner's figures only, and not always."""
    known = event % 6 != 1
    return {
        "profile_follower": row["profile_follower"] if known else None,
        "profile_er": row["profile_er"] if known else 0,
        "profile_static_er": row["profile_er"],
        "profile_reels_er": None,
    }


def _part(value: object, share: float) -> int | None:
    return None if value is None else int(value * share)


def _as_text(metrics: dict[str, object]) -> dict[str, object]:
    return {name: value if value is None else str(value) for name, value in metrics.items()}
