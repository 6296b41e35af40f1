"""Who follows whom on Instagram, as far as it was read, and what data science made of the followers.

The followers of some profiles and the followings of a few were read, some of them twice. Most followers are profiles of
the world, so their counters are known; the others are strangers, many with names that look made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.beat.log_entries import FOLLOWS, ProfileRelationship
from devstack.beat.phrases import FOLLOWER_NAMES, PLAIN_NAMES
from devstack.world import draws, special, timeline
from devstack.world.core import Core
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World
from devstack.world.timeline import DAY, Timeline
from devstack.world.vocabulary import CITIES, COUNTRIES

WELL_READ = 620  # followers of the first profile: more than the 500 that count as enough
FOLLOWING_READ = 40
FOLLOWING_PROFILES = 4
HISTORY_DAYS = 200
STRANGERS = 0.25
_STATES = ["Delhi", "Maharashtra", "Uttar Pradesh", "Karnataka", "Maharashtra", "", None]
_PROVIDERS = ["rapidapi-jotucker", "rocketapi", "rocketapi"]


@dataclass(frozen=True)
class Graph:
    """Edges in the order in which they were read; numbers of profiles, those of strangers lie above the world's."""

    world: World
    profiles: Profiles
    source: np.ndarray  # follows
    target: np.ndarray
    followers: np.ndarray  # whether the followers of the target were read, not the followings of the source
    moment: np.ndarray
    order: Timeline  # of the events

    def __len__(self) -> int:
        return len(self.source)


def read_profiles(profiles: Profiles, wanted: int) -> np.ndarray:
    """Positions of the profiles whose followers were read: the first ones in no special state with some followers."""
    good = profiles.scraped & ~profiles.is_private & profiles.followers_known & (profiles.followers > 1_000)
    good[: special.CONNECTED.stop - 2] = False  # two of the connected ones, so that two sources tell of one audience
    return np.flatnonzero(good)[:wanted]


def of(core: Core) -> Graph:
    world, profiles = core.world, core.profiles
    random = draws.stream(world.seed, "followers")
    targets = read_profiles(profiles, world.size.followed_profiles)
    sizes = [WELL_READ if place == 0 else world.size.followers_read for place in range(len(targets))]
    source, target = [], []
    for position, size in zip(targets.tolist(), sizes, strict=True):
        known = random.permutation(len(profiles))[: int(size * (1 - STRANGERS))]
        known = known[known != position]
        strangers = random.integers(0, max(world.size.profiles, 2_000), size - len(known))
        source.append(np.concatenate([known, world.size.profiles + 1_000 + np.unique(strangers)]))
        target.append(np.full(len(source[-1]), position))
    scanned = targets[:FOLLOWING_PROFILES]
    followed = [random.permutation(len(profiles))[:FOLLOWING_READ] for _ in scanned]
    edges = [
        (np.concatenate(source), np.concatenate(target), True),
        (np.repeat(scanned, FOLLOWING_READ), np.concatenate(followed), False),
    ]
    source, target = (np.concatenate([edge[side] for edge in edges]) for side in (0, 1))
    followers = np.concatenate([np.full(len(edge[0]), edge[2]) for edge in edges])
    # The edges of one run lie a page apart; every third profile was read again a month later, with most of them.
    started = world.as_of_epoch - random.uniform(40, HISTORY_DAYS, len(profiles)) * DAY
    scraped_side = np.where(followers, target, source)
    moment = (started[scraped_side] + random.uniform(0, 900, len(source))).astype(np.int64)
    again = np.flatnonzero((scraped_side % 3 == 0) & (random.random(len(source)) < 0.9))
    source, target, followers = (np.concatenate([array, array[again]]) for array in (source, target, followers))
    moment = np.concatenate([moment, moment[again] + 30 * DAY])
    by_time = np.argsort(moment, kind="stable")
    order = timeline.published(world, "followers", 0, np.arange(len(source)), moment[by_time])
    return Graph(world, profiles, source[by_time], target[by_time], followers[by_time], moment[by_time], order)


def table(graph: Graph) -> pa.Table:
    """Rows of `beat_replica.profile_relationship_log`, which is still written beside the events."""
    rows = np.arange(len(graph))
    numbers = _numbers(graph)
    ids = draws.profile_ids(numbers, graph.world.seed)
    texts = pa.array([text.decode() for text in _described(graph).values()], pa.string())
    source, target = (pa.array(np.searchsorted(numbers, side)) for side in (graph.source, graph.target))
    told = pa.array(graph.followers)
    empty = pa.array(["{}"] * len(rows), pa.string())
    return pa.table({
        "id": pa.array(rows + 1),
        "relationship_type": pa.array([FOLLOWS] * len(rows)),
        "platform": pa.array([events.INSTAGRAM] * len(rows)),
        "source_profile_id": ids.take(source),
        "target_profile_id": ids.take(target),
        "source_dimensions": pa.compute.if_else(told, texts.take(source), empty),
        "target_dimensions": pa.compute.if_else(told, empty, texts.take(target)),
        "source_metrics": empty,
        "target_metrics": empty,
        "source": draws.picked(_PROVIDERS, rows % len(_PROVIDERS)),
        "timestamp": moments(graph.moment),
    })  # fmt: skip


def messages(graph: Graph) -> Iterator[events.Message]:
    """profile_relationship_log messages of all edges, in publishing order."""
    world = graph.world
    ids, described = _ids(graph), _described(graph)
    identity = draws.event_ids(graph.order.event, draws.salt(world.seed, world.as_of_epoch, "followers")).to_pylist()
    texts = timeline.texts(graph.order.moment)
    for row, edge in enumerate(graph.order.event.tolist()):
        source, target, read = int(graph.source[edge]), int(graph.target[edge]), bool(graph.followers[edge])
        yield ProfileRelationship(
            event_id=identity[row],
            source=_PROVIDERS[edge % len(_PROVIDERS)],
            platform=events.INSTAGRAM,
            source_profile_id=ids[source],
            target_profile_id=ids[target],
            source_metrics={},
            target_metrics={},
            source_dimensions=orjson.Fragment(described[source]) if read else {},
            target_dimensions={} if read else orjson.Fragment(described[target]),
            event_timestamp=texts[row],
        ).message()


def science(graph: Graph) -> dict[str, pa.Table]:
    """Predictions about the followers, the check for fake ones, and the list of handles that it is made for."""
    handles = graph.profiles.handle.to_pylist()
    checked = read_profiles(graph.profiles, graph.world.size.followed_profiles)
    return {
        "ds.instagram_prediction": _predictions(graph),
        "ds.creator_followers_fake_analysis": _fake_analysis(graph),
        "ds.creator_handles_fake_follower_poc": pa.table({
            "handle": pa.array([*(handles[position] for position in checked.tolist()), "nobody.knows.this"]),
        }),
    }  # fmt: skip


def _numbers(graph: Graph) -> np.ndarray:
    return np.unique(np.concatenate([graph.source, graph.target]))


def _ids(graph: Graph) -> dict[int, str]:
    numbers = _numbers(graph)
    return dict(zip(numbers.tolist(), draws.profile_ids(numbers, graph.world.seed).to_pylist(), strict=True))


def _names(graph: Graph) -> dict[int, tuple[str, str]]:
    """Handle and full name by number. Strangers' names are few, so that many bear the same one."""
    handles, full = graph.profiles.handle.to_pylist(), graph.profiles.full_name.to_pylist()
    known = len(graph.profiles)
    names = {}
    numbers = _numbers(graph)
    for number, bits in zip(numbers.tolist(), draws.mix(numbers).tolist(), strict=True):
        if number < known:
            names[number] = (handles[number], full[number] or "")
        else:
            handle = (f"user{number}{bits % 10**6}", f"xkcd_{number}", f"rahul.{number}", f"{bits % 10**9}_{number}")
            names[number] = (handle[bits % 4], FOLLOWER_NAMES[(bits >> 8) % len(FOLLOWER_NAMES)])
    return names


def _described(graph: Graph) -> dict[int, bytes]:
    return {
        number: orjson.dumps({
            "handle": handle,
            "full_name": name,
            "profile_pic_url": f"https://scontent.cdninstagram.example/v/t51/{number}_n.jpg",
            "is_private": number % 5 == 0,
            "is_verified": number % 97 == 0,
        })
        for number, (handle, name) in _names(graph).items()
    }  # fmt: skip


def _predictions(graph: Graph) -> pa.Table:
    """Four in five followers: gender from name and picture, age, place; each unknown or empty for some."""
    random = draws.stream(graph.world.seed, "predictions of followers")
    numbers = _numbers(graph)
    numbers = numbers[random.random(len(numbers)) < 0.8]
    rows = len(numbers)
    male = random.beta(0.6, 0.5, rows).round(4)
    # The edges of the age bands and of the gender rule are hit exactly by some.
    male[::17] = 0.7
    age = np.clip(random.normal(26, 9, rows), 8, 80).round(1)
    age[::13] = np.resize([13, 18, 25, 35, 45, 55, 65, 12.9], len(age[::13]))
    city = random.integers(0, len(CITIES) + 3, rows)
    return pa.table({
        "profile_id": draws.profile_ids(numbers, graph.world.seed).cast(pa.int64()),
        "gender_male": pa.array(male, mask=random.random(rows) < 0.05),
        "gender_female": pa.array((1 - male).round(4), mask=random.random(rows) < 0.05),
        "gender_from_img_model": draws.picked(["M", "F", "", None], random.choice(4, rows, p=[0.25, 0.15, 0.5, 0.1])),
        "age": pa.array(age, mask=random.random(rows) < 0.06),
        "top_cities": draws.picked([*CITIES, "", "", None], city),
        "state": draws.picked(_STATES, random.integers(0, len(_STATES), rows)),
        "country": draws.picked([*COUNTRIES, "", None], random.choice(
            len(COUNTRIES) + 2, rows, p=[0.8, *[0.01] * (len(COUNTRIES) - 1), 0.07, 0.13 - 0.01 * (len(COUNTRIES) - 1)]
        )),
    })  # fmt: skip


def _fake_analysis(graph: Graph) -> pa.Table:
    """One row per checked follower and creator; a few stand twice, and names without a cleaned form are NULL."""
    random = draws.stream(graph.world.seed, "fake followers")
    names = _names(graph)
    edges = np.unique(np.stack([graph.target, graph.source])[:, graph.followers], axis=1)
    edges = np.concatenate([edges, edges[:, ::53]], axis=1)
    rows = edges.shape[1]
    creator = [names[number][0] for number in edges[0].tolist()]
    follower, full_name = zip(*(names[number] for number in edges[1].tolist()), strict=True)
    made_up = np.array([number >= len(graph.profiles) for number in edges[1].tolist()])
    made_up &= np.array([name not in FOLLOWER_NAMES[:PLAIN_NAMES] for name in full_name])
    digits = np.array([sum(letter.isdigit() for letter in handle) for handle in follower])
    fake = np.where(made_up, 1, 0)
    score = np.clip(np.where(made_up, random.normal(35, 20, rows), random.normal(85, 12, rows)), 0, 100).round(2)
    cleaned = pa.array([name.lower() if name and name.isascii() else None for name in full_name], pa.string())

    def flag(values: np.ndarray) -> pa.Array:
        return pa.array(values.astype(np.int64), mask=random.random(rows) < 0.02)

    return pa.table({
        "handle": pa.array(creator),
        "follower_handle": pa.array(follower),
        "follower_full_name": pa.array(full_name),
        "symbolic_name": pa.array(full_name),
        "fake_real_based_on_lang": flag(fake),
        "transliterated_follower_name": cleaned,
        "decoded_name": pa.array(full_name),
        "cleaned_handle": pa.array(["".join(c for c in handle if c.isalpha()) for handle in follower]),
        "cleaned_name": cleaned,
        "chhitij_logic": flag(np.where(random.random(rows) < 0.1, 2, fake)),
        "number_handle": flag(digits > 0),
        "number_more_than_4_handle": flag(digits > 4),
        "similarity_score": pa.array(score),
        "fake_real_based_on_fuzzy_score_90": flag(score < 90),
        "process1_": flag(fake),
        "final_": pa.array(np.where(made_up, 1.0, np.where(random.random(rows) < 0.15, 0.33, 0.0))),
        "numeric_handle": flag(digits > 8),
        "indian_name_score": pa.array(score, mask=random.random(rows) < 0.03),
        "score_80": flag(score > 80),
    })  # fmt: skip
