"""The log models on a real server: late, duplicate and reordered events end in the same rows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.gcc_social.conftest import RUN_TIME, Warehouse

pytestmark = pytest.mark.integration

PROFILE_LOG = "_e.profile_log_events"
COLUMNS = (
    "event_id",
    "source",
    "platform",
    "profile_id",
    "handle",
    "event_timestamp",
    "insert_timestamp",
    "metrics",
    "dimensions",
)


def event(
    event_id: str, followers: int, happened: datetime, arrived: datetime | None = None, profile: str = "1"
) -> tuple:
    return (
        event_id,
        "provider",
        "INSTAGRAM",
        profile,
        "anna",
        happened.replace(tzinfo=None),
        (arrived or happened).replace(tzinfo=None),
        json.dumps({"followers": followers}),
        "{}",
    )


def days(warehouse: Warehouse) -> list[tuple]:
    columns = "profile_id, toString(date), followers, events"
    return warehouse.rows(f"select {columns} from dbt.stg_beat_profile_log final order by profile_id, date")


def build(warehouse: Warehouse, run_time: datetime) -> None:
    warehouse.dbt("run", "--select", "stg_beat_profile_log", run_time=run_time)


def test_late_and_duplicate_events_arrive_exactly_once(empty_warehouse: Warehouse) -> None:
    warehouse, noon = empty_warehouse, RUN_TIME
    build(warehouse, noon)  # an empty log first: the next run must not take the empty model for up to date
    assert days(warehouse) == []

    warehouse.insert(
        PROFILE_LOG,
        COLUMNS,
        [
            event("a", 100, noon - timedelta(days=30)),
            event("b", 110, noon - timedelta(hours=1)),
            event("b", 110, noon - timedelta(hours=1)),
        ],
    )
    build(warehouse, noon)
    assert days(warehouse) == [("1", "2026-05-16", 100, 1), ("1", "2026-06-15", 110, 1)]

    # A month late, and earlier on its day than what is known: counted, but it changes no value. A copy of b again.
    late = event("c", 90, noon - timedelta(days=30, hours=2), arrived=noon + timedelta(minutes=10))
    copy = event("b", 110, noon - timedelta(hours=1), arrived=noon + timedelta(minutes=11))
    newer = event("d", 120, noon - timedelta(minutes=1), arrived=noon + timedelta(minutes=12))
    warehouse.insert(PROFILE_LOG, COLUMNS, [newer, late, copy])
    build(warehouse, noon + timedelta(minutes=15))
    expected = [("1", "2026-05-16", 100, 2), ("1", "2026-06-15", 120, 2)]
    assert days(warehouse) == expected

    # A month late and the last of its day: it changes the day's value.
    warehouse.insert(
        PROFILE_LOG,
        COLUMNS,
        [event("e", 105, noon - timedelta(days=30) + timedelta(hours=2), arrived=noon + timedelta(minutes=20))],
    )
    build(warehouse, noon + timedelta(minutes=30))
    assert days(warehouse) == [("1", "2026-05-16", 105, 3), ("1", "2026-06-15", 120, 2)]

    before = warehouse.checksum("stg_beat_profile_log")
    build(warehouse, noon + timedelta(minutes=30))
    assert warehouse.checksum("stg_beat_profile_log") == before
    warehouse.dbt("run", "--full-refresh", "--select", "stg_beat_profile_log", run_time=noon + timedelta(minutes=30))
    assert warehouse.checksum("stg_beat_profile_log") == before


def test_equal_event_times_do_not_depend_on_insert_order(empty_warehouse: Warehouse) -> None:
    warehouse, noon = empty_warehouse, RUN_TIME
    tied = [event(name, followers, noon) for name, followers in (("x", 1), ("z", 3), ("y", 2))]
    for order in (tied, tied[::-1]):
        warehouse.empty()
        for row in order:
            warehouse.insert(PROFILE_LOG, COLUMNS, [row])
        build(warehouse, noon)
        assert days(warehouse) == [("1", "2026-06-15", 3, 3)]


def test_a_retried_request_shows_its_latest_state(empty_warehouse: Warehouse) -> None:
    """The replica changes in place; the model keeps the state read last, and requests that left the replica."""
    warehouse, noon = empty_warehouse, RUN_TIME
    columns = ("id", "flow", "platform", "status", "created_at", "scraped_at", "retry_count")
    table = "beat_replica.recent_scrape_request_log"
    created, ended = (noon - timedelta(days=3)).replace(tzinfo=None), (noon - timedelta(days=2)).replace(tzinfo=None)

    def state() -> list[tuple]:
        return warehouse.rows("select id, status, retry_count from dbt.stg_beat_scrape_request_log final order by id")

    def run() -> None:
        warehouse.dbt("run", "--select", "stg_beat_scrape_request_log")

    warehouse.insert(
        table,
        columns,
        [(1, "f", "YOUTUBE", "FAILED", created, ended, 1), (2, "f", "YOUTUBE", "COMPLETE", created, ended, 1)],
    )
    run()
    warehouse.client.command(f"truncate table {table}")
    warehouse.insert(table, columns, [(1, "f", "YOUTUBE", "PENDING", created, ended, 2)])
    run()
    assert state() == [(1, "PENDING", 2), (2, "COMPLETE", 1)]

    warehouse.client.command(f"truncate table {table}")
    warehouse.insert(table, columns, [(1, "f", "YOUTUBE", "COMPLETE", created, noon.replace(tzinfo=None), 2)])
    run()
    assert state() == [(1, "COMPLETE", 2), (2, "COMPLETE", 1)]


def test_a_changed_post_is_one_row_with_its_latest_counters(empty_warehouse: Warehouse) -> None:
    warehouse, noon = empty_warehouse, RUN_TIME
    columns = ("id", "shortcode", "post_type", "likes", "updated_at")
    table = "beat_replica.instagram_post_simple"
    for likes, age in ((10, timedelta(hours=5)), (7, timedelta(hours=1))):  # counters can fall
        warehouse.client.command(f"truncate table {table}")
        warehouse.insert(table, columns, [(1, "code", "image", likes, (noon - age).replace(tzinfo=None))])
        warehouse.dbt("run", "--select", "stg_beat_instagram_post")
    assert warehouse.rows("select id, likes from dbt.stg_beat_instagram_post final") == [(1, 7)]
    warehouse.dbt("test", "--select", "stg_beat_instagram_post")
