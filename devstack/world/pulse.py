"""A fresh wave of events as of now: some accounts were scraped again and their counters changed.

The replica gets the new values and the broker the events, with late and repeated ones among them as in the history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pika
from clickhouse_connect.driver.client import Client

from devstack.beat import broker
from devstack.beat.replica import Replica, Row
from devstack.beat.snapshots import channel_event, post_event, profile_event
from devstack.world import draws, marker, streams
from devstack.world.store import WorldError
from devstack.world.timeline import DUPLICATE_SHARE, LATE_SHARE, LONGEST_DELAY_DAYS

POST_DAYS = 14
SPREAD_SECONDS = 60


@dataclass(frozen=True)
class Wave:
    """What one pulse did."""

    profiles: int
    channels: int
    posts: int
    events: int
    newest: datetime


def pulse(client: Client, parameters: pika.ConnectionParameters, accounts: int, say: Callable[[str], None]) -> Wave:
    """Scrape `accounts` Instagram profiles, a fifth as many channels and some posts again.

    WorldError: no world is loaded.
    """
    noted = marker.read(client)
    if noted is None or noted.state != marker.COMPLETE:
        raise WorldError("no world is loaded: run `python -m devstack.world load` first")
    now = datetime.now(UTC).replace(microsecond=0)
    seed = int(draws.salt(noted.seed, "pulse", now.timestamp()))
    random = draws.stream(noted.seed, "pulse", now.timestamp())
    replica = Replica(client)
    profiles = replica.sample_profiles(accounts, seed)
    channels = replica.sample_channels(max(accounts // 5, 1), seed)
    posts = replica.sample_posts(accounts // 2, seed, POST_DAYS)
    _grow(random, profiles, {"followers": 0.002, "media_count": 0.001})
    _grow(random, channels, {"subscribers": 0.002, "views": 0.004, "uploads": 0.002})
    _grow(random, posts, {"likes": 0.05, "comments": 0.04, "plays": 0.06})
    ids = iter(_event_ids(len(profiles) + len(channels) + len(posts), noted.seed, now))
    messages = [
        *(profile_event(row, next(ids), _moment(random, now)) for row in profiles),
        *(channel_event(row, next(ids), _moment(random, now)) for row in channels),
        *(post_event(row, next(ids), _moment(random, now)) for row in posts),
    ]
    messages += [message for message in messages if random.random() < DUPLICATE_SHARE]
    broker.declare_queues(parameters)
    published = streams.publish(iter(messages), len(messages), parameters, say)
    replica.update("instagram_account", profiles, ["followers"])
    replica.update("youtube_account", channels, ["subscribers", "views"])
    replica.update("instagram_post_simple", [row for row in posts if row["likes"] is not None], ["likes"])
    return Wave(len(profiles), len(channels), len(posts), published, now)


def _grow(random: np.random.Generator, rows: list[Row], spreads: dict[str, float]) -> None:
    """Change counters in place: mostly up, each by at least one."""
    for row in rows:
        for column, spread in spreads.items():
            if row[column] is not None:
                change = round(row[column] * random.normal(spread, spread))
                row[column] = max(row[column] + (change or 1), 0)


def _moment(random: np.random.Generator, now: datetime) -> datetime:
    late = random.random() < LATE_SHARE
    seconds = random.uniform(3_600, LONGEST_DELAY_DAYS * 86_400) if late else random.uniform(0, SPREAD_SECONDS)
    return now - timedelta(seconds=seconds)


def _event_ids(rows: int, seed: int, now: datetime) -> list[str]:
    return draws.event_ids(np.arange(rows), draws.salt(seed, "pulse events", now.timestamp())).to_pylist()
