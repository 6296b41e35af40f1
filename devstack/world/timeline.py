"""When accounts were scraped, and in which order their events reach the broker.

Once in each of the last 13 full months, then about once a week, then within the last three days. A third of the newest
scrapes publish twice within a second. Some events are late (published up to three days after their event time), and one
in two hundred is delivered twice with the same event id.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from devstack.world import draws
from devstack.world.size import HISTORY_MONTHS, World

DAY = 86_400
LATE_SHARE = 0.02
DUPLICATE_SHARE = 0.005
SKIPPED_SCRAPES = 0.05
LONGEST_DELAY_DAYS = 3


@dataclass(frozen=True)
class Timeline:
    """Events in the order of publishing; `entity` is the position of the account, post or request it is about."""

    entity: np.ndarray
    moment: np.ndarray  # event time, epoch seconds
    event: np.ndarray  # number of the event within its stream; the two of a duplicate share it

    def __len__(self) -> int:
        return len(self.entity)


def month_starts(world: World) -> np.ndarray:
    """Epoch seconds of the first instants of the last 13 full months and of the current one, oldest first."""
    current = np.datetime64(world.as_of.replace(tzinfo=None), "M")
    return (np.arange(-HISTORY_MONTHS, 1) + current).astype("datetime64[s]").astype(np.int64)


def scrapes(world: World, random: np.random.Generator, accounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Account and time of every scrape of `accounts` (positions)."""
    starts = month_starts(world)
    length = np.diff(starts)
    monthly = starts[:-1] + random.random((len(accounts), len(length))) * (length - 1)
    weeks = np.array([1.5, 8.0, 15.0, 22.0])
    recent = world.as_of_epoch - (weeks + random.uniform(-1.5, 1.5, (len(accounts), len(weeks)))) * DAY
    times = np.concatenate([monthly, recent], axis=1).astype(np.int64)
    kept = random.random(times.shape) >= SKIPPED_SCRAPES
    kept[:, -4] = True  # the newest scrape always exists
    times = np.minimum(times, world.as_of_epoch - 5)
    twice = random.random(len(accounts)) < 1 / 3
    account = np.broadcast_to(accounts[:, None], times.shape)
    return (
        np.concatenate([account[kept], accounts[twice]]),
        np.concatenate([times[kept], times[twice, -4] + 1]),
    )


def published(world: World, purpose: str, chunk: int, entity: np.ndarray, moment: np.ndarray) -> Timeline:
    """Bring events into publishing order, with the late ones and the duplicates among them."""
    random = draws.stream(world.seed, "publishing", purpose, chunk)
    rows = len(entity)
    late = random.random(rows) < LATE_SHARE
    order_key = moment + np.where(late, random.uniform(3_600, LONGEST_DELAY_DAYS * DAY, rows), 0)
    again = np.flatnonzero(random.random(rows) < DUPLICATE_SHARE)
    event = np.concatenate([np.arange(rows), again])
    order_key = np.concatenate([order_key, order_key[again] + random.uniform(1, DAY, len(again))])
    order = np.argsort(order_key, kind="stable")
    event = event[order]
    return Timeline(entity=entity[event], moment=moment[event], event=event)


def texts(moments: np.ndarray) -> list[str]:
    """`YYYY-MM-DD HH:MM:SS` of epoch seconds."""
    return [
        text.replace("T", " ") for text in np.datetime_as_string(moments.astype("datetime64[s]"), unit="s").tolist()
    ]
