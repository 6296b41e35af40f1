"""A fresh wave of events as of now: some accounts were scraped again, their counters changed, and people reacted.

The replica gets the new values and the broker the events, with late and repeated ones among them as in the history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pika
from clickhouse_connect.driver.client import Client

from devstack.beat import broker
from devstack.beat.events import INSTAGRAM, Message
from devstack.beat.flows import Scrapes
from devstack.beat.inventions import Invention, comments, invent
from devstack.beat.replica import Replica, Row
from devstack.beat.snapshots import channel_event, post_event, profile_event
from devstack.world import draws, launches, marker, streams
from devstack.world.store import WorldError
from devstack.world.timeline import DUPLICATE_SHARE, LATE_SHARE, LONGEST_DELAY_DAYS

POST_DAYS = 14
COMMENTED_POSTS = 10
ACTIVE_CHANNELS = 3
LAUNCHES = 10
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
    strangers = _strangers(noted.seed, now, profiles, channels, posts)
    messages += [*strangers.messages, *_launches(client, noted.seed, now)]
    messages += [message for message in messages if random.random() < DUPLICATE_SHARE]
    broker.declare_queues(parameters)
    published = streams.publish(iter(messages), len(messages), parameters, say)
    replica.update("instagram_account", profiles, ["followers"])
    replica.update("youtube_account", channels, ["subscribers", "views"])
    replica.update("instagram_post_simple", [row for row in posts if row["likes"] is not None], ["likes"])
    for table, rows in strangers.rows.items():
        replica.store(table, rows)
    return Wave(len(profiles), len(channels), len(posts), published, now)


def _strangers(seed: int, now: datetime, profiles: list[Row], channels: list[Row], posts: list[Row]) -> Invention:
    """Comments on some of the posts, the followers of one profile, and what a few channels subscribe to and do."""
    chance = Random(int(draws.salt(seed, "strangers", now.timestamp())))  # noqa: S311 -- chance, no secret
    found = [comments(str(post["shortcode"]), INSTAGRAM, chance, now) for post in posts[:COMMENTED_POSTS]]
    requests = [
        (Scrapes.FOLLOWERS, "fetch_profile_followers", {"profile_id": row["profile_id"]}) for row in profiles[:1]
    ]
    for row in channels[:ACTIVE_CHANNELS]:
        params = {"channel_id": row["channel_id"]}
        requests += [(Scrapes.SUBSCRIPTIONS, "refresh_yt_profile_relationship", params)]
        requests += [(Scrapes.ACTIVITIES, "refresh_yt_activities", params)]
    found += [invent(kind, flow, params, now) for kind, flow, params in requests]
    everything = Invention()
    for one in found:
        everything.messages += one.messages
        for table, rows in one.rows.items():
            everything.rows.setdefault(table, []).extend(rows)
    return everything


def _launches(client: Client, seed: int, now: datetime) -> list[Message]:
    """Some launches of the app through the links that creators have."""
    given = client.query(
        "SELECT JSONExtractString(unique_link_data, 1, 'link') AS link"
        " FROM campaign_replica.deliverable_shortlisted_user_link WHERE link != '' ORDER BY link LIMIT 200"
    ).result_rows
    ids = draws.event_ids(np.arange(LAUNCHES), draws.salt(seed, "pulse launches", now.timestamp())).to_pylist()
    moment = int(now.timestamp()) - SPREAD_SECONDS
    return [
        launches.launch(name, given[number % len(given)][0], number, moment + number)
        for number, name in enumerate(ids)
        if given
    ]


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
