"""Writing a whole world: the replica databases, the serving databases, then the events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pika
import pyarrow as pa

from devstack.beat import broker
from devstack.beat.events import Message
from devstack.world import (
    belongings,
    campaigns,
    channels,
    collections,
    comments,
    core,
    directory,
    followers,
    links,
    marker,
    orders,
    other_flows,
    posts,
    profiles,
    requests,
    serving,
    streams,
    subscriptions,
    surveys,
)
from devstack.world.size import SIZES, World
from devstack.world.store import Ledger, WorldError, copy, insert
from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES
from schema import clickhouse_sources
from schema.connections import connect_serving

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

STAGING_EVENTS = "_stage_e"  # what staging's sinker stores; here the load writes it
EVENT_TABLES = tuple(event.table for event in EVENT_TYPES.values())
SUBSCRIPTIONS = EVENT_TYPES["yt_profile_relationship_log"]
SERVING_TABLES = (
    "instagram_account",
    "youtube_account",
    "profile_collection",
    "post_collection",
    "post_collection_item",
)


@dataclass(frozen=True)
class Targets:
    """Where a world goes. `broker` None leaves the events out."""

    clickhouse: Client
    serving_dsns: tuple[str, ...]
    broker: pika.ConnectionParameters | None


def load(
    size: str,
    seed: int,
    as_of: datetime | None,
    now: datetime,
    targets: Targets,
    *,
    force: bool,
    say: Callable[[str], None],
    events: Callable[[Iterator[Message]], int] | None = None,
) -> Ledger | None:
    """Load the world unless it is there; None when it was.

    `events`, if given, takes the log events in place of the broker and returns how many it took.
    Without `as_of`, a half-done load is redone for its own moment and a new one made for `now`.
    """
    noted = marker.read(targets.clickhouse)
    if noted and noted.matches(size, seed, as_of) and not force:
        if noted.state == marker.COMPLETE and _still_there(targets, size):
            return None
        say("an earlier load did not finish or lost its tables; it is redone")
        as_of = noted.as_of
    world = World(SIZES[size], seed, as_of or now)
    ledger = Ledger()
    marker.write(targets.clickhouse, world, marker.LOADING)
    with ledger.step("emptying"):
        _empty(targets)
        _provide_staging_events(targets.clickhouse)
    parts = _Writer(world, targets, ledger, say).write()
    if events:
        published = events(message for part in parts for message in part.messages())
    else:
        published = _publish(targets, parts, ledger, say)
    marker.write(targets.clickhouse, world, marker.COMPLETE, published)
    return ledger


def _still_there(targets: Targets, size: str) -> bool:
    client = targets.clickhouse
    if not client.command("EXISTS TABLE coffee_replica.view_instagram_account_lite"):
        return False
    if client.command("SELECT count() FROM coffee_replica.view_instagram_account_lite") != SIZES[size].profiles:
        return False
    for dsn in targets.serving_dsns:
        with closing(connect_serving(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("select to_regclass('instagram_account') is not null")
            if not cursor.fetchone()[0]:
                return False
            cursor.execute("select count(*) from instagram_account")
            if cursor.fetchone()[0] != SIZES[size].profiles:
                return False
    return True


def _empty(targets: Targets) -> None:
    """Empty the source tables and the events of an earlier world. Refused for tables that are not plain local ones."""
    client = targets.clickhouse
    databases = list(clickhouse_sources.source_databases())
    rows = client.query(
        "SELECT database, name, engine, total_rows FROM system.tables WHERE database IN {databases:Array(String)}"
        " OR (database IN ('_e', {staging:String}) AND name IN {events:Array(String)})",
        parameters={"databases": databases, "events": list(EVENT_TABLES), "staging": STAGING_EVENTS},
    ).result_rows
    missing = sorted(set(databases) - {database for database, *_ in rows})
    if missing:
        raise WorldError(
            f"ClickHouse has no tables in {', '.join(missing)}: run `python -m schema apply --foreign-tables` first"
        )
    foreign = [f"{database}.{name} ({engine})" for database, name, engine, _ in rows if "MergeTree" not in engine]
    if foreign:
        raise WorldError(
            f"{', '.join(foreign)} is not a plain table: this looks like a real replica, nothing was changed"
        )
    for database, name, _, total in rows:
        if total and (database != "_e" or targets.broker):
            client.command(f"TRUNCATE TABLE {database}.`{name}`")


def _provide_staging_events(client: Client) -> None:
    """Create the one event table of staging that models read, unless it is there: no sinker of staging runs here."""
    if not client.command(f"EXISTS TABLE {STAGING_EVENTS}.{SUBSCRIPTIONS.table}"):
        event_schema.apply(client, [SUBSCRIPTIONS], STAGING_EVENTS)


class _Writer:
    """One load: chunk after chunk, so that memory does not grow with the size."""

    def __init__(self, world: World, targets: Targets, ledger: Ledger, say: Callable[[str], None]) -> None:
        self.world, self.targets, self.ledger, self.say = world, targets, ledger, say
        self.parts: list[streams.Part] = []
        self.serving = [connect_serving(dsn) for dsn in targets.serving_dsns]

    def write(self) -> list[streams.Part]:
        """Write all tables and return what is to be published."""
        try:
            self._empty_serving()
            self._insert(directory.constants() | {"beat_replica.credential": belongings.shops(self.world)})
            self._core()
            for start in profiles.chunks(self.world):
                self._profiles(start)
            for start in channels.chunks(self.world):
                self._channels(start)
            for connection in self.serving:
                connection.commit()
        finally:
            for connection in self.serving:
                connection.close()
        return self.parts

    def _core(self) -> None:
        """What belongs to no single account, made of the first chunk of profiles and of channels."""
        world = self.world
        with self.ledger.step("generating"):
            made = core.of(world)
            topics = streams.Topics.of(made)
            lists, members = collections.profile_collections(world, made.profiles)
            members = collections.with_more_members(world, members, made.profiles, made.channels)
            queue = requests.table(world, made.profiles, made.posts, made.channels)
            queue = pa.concat_tables([queue, other_flows.table(made, queue.num_rows + 1)])
            bought = orders.table(world)
            items = made.collected.items
            campaign_tables = campaigns.tables(world, made, lists)
            tables = {
                "coffee_replica.post_collection": made.collected.collections,
                "coffee_replica.post_collection_item": items,
                "coffee_replica.profile_collection": lists,
                "coffee_replica.profile_collection_item": members,
                "beat_replica.recent_scrape_request_log": queue,
                "beat_replica.order": bought,
                "beat_replica.post_activity_log": comments.table(topics.activities),
                "beat_replica.profile_relationship_log": followers.table(topics.graph),
                f"{STAGING_EVENTS}.{SUBSCRIPTIONS.table}": subscriptions.staging_table(topics.subscriptions),
                **collections.staging_twins(
                    collections.instagram_ids(world, made.profiles),
                    collections.youtube_ids(world, made.channels),
                    items,
                    members,
                ),
                **campaign_tables,
                **followers.science(topics.graph),
                **links.tables(world, items),
                **surveys.tables(world, made, campaign_tables["identity_replica.social_account"]),
            }
            self.parts.append(streams.request_part(world, queue))
            self.parts += streams.core_parts(made, topics, queue, bought)
        self._insert(tables)
        self._copy(serving.collection_tables(made.collected, lists))

    def _profiles(self, start: int) -> None:
        world = self.world
        with self.ledger.step("generating"):
            chunk = profiles.chunk(world, start)
            owned = posts.of(world, chunk)
            tables = {
                "beat_replica.instagram_account": profiles.account_table(world, chunk),
                "beat_replica.instagram_post_simple": posts.post_table(world, chunk, owned),
                "coffee_replica.view_instagram_account_lite": collections.instagram_ids(world, chunk),
                "coffee_replica.view_campaign_profile_lite": collections.campaign_profiles(world, chunk),
                **belongings.of_profiles(world, chunk),
                **directory.of_profiles(world, chunk),
            }
            rows = {"instagram_account": serving.instagram_accounts(world, chunk)}
            if start == 0:
                tables |= surveys.old_logs(world, tables["vidooly.instagram_posts_historical_cleaned_v2"])
        self._insert(tables)
        self._insert({"beat_replica.asset_log": belongings.of_posts(world, chunk, owned)})
        self._copy(rows)
        # A part makes its chunk again when it is published: regenerating is cheap, keeping every chunk is not.
        self.parts += _lazily(
            streams.instagram_parts(world, chunk, owned),
            lambda: _instagram_again(world, start),
            keep=world.size.profiles <= profiles.PROFILE_CHUNK,
        )
        self.say(
            f"{min(start + profiles.PROFILE_CHUNK, world.size.profiles):,} of {world.size.profiles:,} profiles written"
        )

    def _channels(self, start: int) -> None:
        world = self.world
        with self.ledger.step("generating"):
            chunk = channels.chunk(world, start)
            videos = channels.video_table(world, chunk)
            ids, handles = profiles.identities(world, chunk.partner)
            tables = {
                "beat_replica.youtube_account": channels.account_table(world, chunk),
                "beat_replica.youtube_post_simple": videos,
                "coffee_replica.view_youtube_account_lite": collections.youtube_ids(world, chunk),
                **belongings.of_channels(world, chunk),
                **directory.of_channels(world, chunk, ids, handles),
            }
        self._insert(tables)
        self._copy({"youtube_account": serving.youtube_accounts(world, chunk)})
        self.parts += _lazily(
            streams.youtube_parts(world, chunk, videos),
            lambda: _youtube_again(world, start),
            keep=world.size.channels <= channels.CHANNEL_CHUNK,
        )
        self.say(
            f"{min(start + channels.CHANNEL_CHUNK, world.size.channels):,} of {world.size.channels:,} channels written"
        )

    def _insert(self, tables: dict[str, pa.Table]) -> None:
        with self.ledger.step("ClickHouse"):
            for name, rows in tables.items():
                insert(self.targets.clickhouse, self.ledger, name, rows)

    def _copy(self, tables: dict[str, pa.Table]) -> None:
        with self.ledger.step("PostgreSQL"):
            for connection in self.serving:
                for name, rows in tables.items():
                    copy(connection, self.ledger, name, rows)

    def _empty_serving(self) -> None:
        for connection in self.serving:
            with connection.cursor() as cursor:
                cursor.execute(f"truncate {', '.join(SERVING_TABLES)}")


def _lazily(parts: list[streams.Part], again: Callable[[], list[streams.Part]], *, keep: bool) -> list[streams.Part]:
    if keep:
        return parts

    def messages(index: int) -> Callable[[], Iterator[Message]]:
        return lambda: again()[index].messages()

    return [streams.Part(part.events, messages(index)) for index, part in enumerate(parts)]


def _instagram_again(world: World, start: int) -> list[streams.Part]:
    chunk = profiles.chunk(world, start)
    return streams.instagram_parts(world, chunk, posts.of(world, chunk))


def _youtube_again(world: World, start: int) -> list[streams.Part]:
    chunk = channels.chunk(world, start)
    return streams.youtube_parts(world, chunk, channels.video_table(world, chunk))


def _publish(targets: Targets, parts: list[streams.Part], ledger: Ledger, say: Callable[[str], None]) -> int:
    if targets.broker is None:
        return 0
    with ledger.step("publishing"):
        broker.declare_queues(targets.broker)
        total = sum(part.events for part in parts)
        published = streams.publish(
            (message for part in parts for message in part.messages()), total, targets.broker, say
        )
    ledger.count("events", published)
    return published
