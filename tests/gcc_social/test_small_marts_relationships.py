"""Who follows whom, built in several runs: late events, a long pause, accounts that change, runs that are repeated."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.gcc_social.conftest import Warehouse

pytestmark = pytest.mark.integration

MARTS = ("mart_yt_subscriber", "mart_insta_follower")
SUBSCRIPTIONS = "_e.yt_profile_relationship_log_events"
FOLLOWERS = "_e.profile_relationship_log_events"


def june(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=UTC)


def subscribe(warehouse: Warehouse, *events: tuple) -> None:
    """Events as (id, subscriber, channel, subscribed on, happened, stored)."""
    columns = ("event_id", "source_channel_id", "target_channel_id", "subscribed_on", "event_timestamp")
    rows = [[*event, "subscription", "YOUTUBE"] for event in events]
    warehouse.insert(SUBSCRIPTIONS, [*columns, "insert_timestamp", "relationship_type", "platform"], rows)


def follow(warehouse: Warehouse, *events: tuple) -> None:
    """Events as (id, follower, profile, user name of the follower, happened, stored)."""
    columns = ("event_id", "source_profile_id", "target_profile_id", "source_dimensions", "event_timestamp")
    rows = [
        [event, follower, profile, f'{{"handle": "{handle}"}}', happened, stored, "FOLLOWS", "INSTAGRAM"]
        for event, follower, profile, handle, happened, stored in events
    ]
    warehouse.insert(FOLLOWERS, [*columns, "insert_timestamp", "relationship_type", "platform"], rows)


def accounts(warehouse: Warehouse, country: str) -> None:
    """UC1 and profile 1, from that country."""
    for table, key, name in (("youtube_account", "channel_id", "UC1"), ("instagram_account", "profile_id", "1")):
        warehouse.client.command(f"truncate table beat_replica.{table}")
        warehouse.insert(f"beat_replica.{table}", ["id", key, "country", "updated_at"], [[1, name, country, june(1)]])


def build(warehouse: Warehouse, at: datetime, *arguments: str) -> dict[str, tuple[int, int]]:
    selected = [f"+{mart}" for mart in MARTS]
    warehouse.dbt(
        "build", "--select", *selected, "--exclude-resource-type", "unit_test", "test", *arguments, run_time=at
    )
    return warehouse.checksums(MARTS)


def test_any_number_of_runs_gives_what_one_gives(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    accounts(warehouse, "IN")
    subscribe(
        warehouse,
        ("b", "UC2", "UC1", june(1), june(9), june(9)),
        ("c", "UC3", "UC1", june(2), june(8), june(8)),
    )
    follow(warehouse, ("b", "2", "1", "two", june(9), june(9)), ("c", "3", "1", "three", june(8), june(8)))
    first = build(warehouse, june(10))
    assert build(warehouse, june(10)) == first, "the same run again changes something"

    # Ten days without a run. Of each mart: a pair from the pause, one with an older event that comes late, and one
    # whose newest event has a rival of the same second. And the account moves.
    accounts(warehouse, "AE")
    subscribe(
        warehouse,
        ("d", "UC4", "UC1", june(3), june(12), june(12)),
        ("a", "UC3", "UC1", june(1), june(1), june(19)),
        ("e", "UC2", "UC1", june(5), june(9), june(19)),
    )
    follow(
        warehouse,
        ("d", "4", "1", "four", june(12), june(12)),
        ("a", "3", "1", "old_three", june(1), june(19)),
        ("e", "2", "1", "new_two", june(9), june(19)),
    )
    second = build(warehouse, june(20))
    assert warehouse.rows(
        "select subscriber_id, timestamp, channel_country from dbt.mart_yt_subscriber final order by subscriber_id"
    ) == [
        ("UC2", june(5).replace(tzinfo=None), "AE"),
        ("UC3", june(2).replace(tzinfo=None), "AE"),
        ("UC4", june(3).replace(tzinfo=None), "AE"),
    ]
    assert warehouse.rows(
        "select follower_id, follower_handle, timestamp, profile_country from dbt.mart_insta_follower final"
        " order by follower_id"
    ) == [
        ("2", "new_two", june(9).replace(tzinfo=None), "AE"),
        ("3", "three", june(1).replace(tzinfo=None), "AE"),
        ("4", "four", june(12).replace(tzinfo=None), "AE"),
    ]
    assert build(warehouse, june(20)) == second, "the same run again changes something"
    assert build(warehouse, june(20), "--full-refresh") == second, "one run over everything gives something else"
