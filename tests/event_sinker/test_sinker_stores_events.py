"""The service against a real RabbitMQ and a real ClickHouse, in good weather."""

from __future__ import annotations

import time
import uuid

import pytest
from pika.exceptions import ChannelClosedByBroker

from event_sinker.events import EVENT_TYPES
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, id_key, profile_event, wait_until

pytestmark = pytest.mark.integration


def scrape_event(**changes: object) -> dict[str, object]:
    return {
        "event_id": str(uuid.uuid4()),
        "scl_id": "18446744073709551615",
        "platform": "YOUTUBE",
        "flow": "refresh_yt_posts",
        "params": {"hash": 18446744073709551615, "ids": ["a", "b"]},
        "status": "FAILED",
        "priority": 1,
        "reason": None,
        "event_timestamp": "2026-01-05T08:00:00.250000",
        "picked_at": None,
        "expires_at": "2026-01-05T09:00:00.123456",
        "retry_count": 2,
    } | changes


def test_every_type_is_stored_once_under_its_id(world: SinkerWorld) -> None:
    world.serve()
    world.start()
    for name, event in EVENT_TYPES.items():
        events = [sample_event(name) for _ in range(3)]
        world.publish(events, name)
        ids = {sent[id_key(name)] for sent in events}
        wait_until(lambda event=event: world.rows(event.table) == 3, what=event.table)
        stored = world.query(f"SELECT {event.id_column} FROM DB.{event.table}")
        assert {event_id for (event_id,) in stored} == ids
    assert not any(world.depth(event.dead_queue) for event in EVENT_TYPES.values())


def test_values_arrive_as_they_were_sent(world: SinkerWorld) -> None:
    world.serve()
    world.start()
    world.publish(
        [sample_event("profile_log", handle=None, dimensions={"bio": 'a"b\\c\n😀 \u0000', "n": 18446744073709551615})],
        "profile_log",
    )
    world.publish(
        [
            sample_event(
                "post_log", profile_id=17841400000000001, publish_time=None, event_timestamp="2026-01-05 23:59:59"
            )
        ],
        "post_log",
    )
    world.publish([scrape_event()], "scrape_request_log")
    world.publish([sample_event("sentiment_log", score="0.25")], "sentiment_log")
    world.publish([sample_event("trace_log", uri="https://h/?access_token=geheim", onlyRequest=True)], "trace_log")
    world.publish([sample_event("launch_refer", timestamp=1767600000)], "launch_refer")
    before = int(time.time())
    tables = ("profile", "post", "scrape_request", "sentiment", "trace")
    wait_until(lambda: all(world.rows(f"{name}_log_events") == 1 for name in tables))
    wait_until(lambda: world.rows("launch_refer_events") == 1)

    columns = "handle, dimensions, toUnixTimestamp(insert_timestamp)"
    ((handle, dimensions, inserted),) = world.query(f"SELECT {columns} FROM DB.profile_log_events")
    assert handle is None
    assert dimensions == '{"bio":"a\\"b\\\\c\\n😀 \\u0000","n":18446744073709551615}'
    assert abs(inserted - before) < 30

    columns = "profile_id, publish_time, toString(event_timestamp, 'UTC')"
    assert world.query(f"SELECT {columns} FROM DB.post_log_events") == [
        ("17841400000000001", None, "2026-01-05 23:59:59")
    ]

    columns = (
        "scl_id, params, reason, picked_at, retry_count, toString(event_timestamp, 'UTC'), toString(expires_at, 'UTC')"
    )
    assert world.query(f"SELECT {columns} FROM DB.scrape_request_log_events") == [
        (
            18446744073709551615,
            '{"hash":18446744073709551615,"ids":["a","b"]}',
            None,
            None,
            2,
            "2026-01-05 08:00:00",
            "2026-01-05 09:00:00",
        )
    ]
    assert world.query("SELECT score FROM DB.sentiment_log_events") == [(0.25,)]
    assert world.query("SELECT uri, only_request, time_taken FROM DB.trace_log_events") == [
        ("https://h/?access_token=[redacted]", 1, 2)
    ]
    assert world.query(
        "SELECT user_id, os_name, mobile, toUnixTimestamp(event_timestamp) FROM DB.launch_refer_events"
    ) == [("9007199254740993", "Android", 1, 1767600000)]


def test_an_exchange_of_another_type_is_taken_as_it_is(world: SinkerWorld) -> None:
    """Exchanges belong to the publishers. The binding keys are exact, so that a topic exchange serves as well."""
    world.serve()
    with world.connection() as connection:
        channel = connection.channel()
        channel.exchange_delete("identity.dx")
        channel.exchange_declare("identity.dx", "topic", durable=True)
    world.start()
    world.publish([sample_event("trace_log")], "trace_log")
    wait_until(lambda: world.rows("trace_log_events") == 1)


def test_repeated_events_are_stored_once(world: SinkerWorld) -> None:
    """The publisher sends an event again with the same id: in one batch, and in a later one of the same process."""
    sinker = world.start()
    event = profile_event()
    world.publish([event, event, event])
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 3)
    world.publish([event])
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 4)
    world.assert_each_stored_once()
    wait_until(lambda: sinker.metric("sinker_duplicates_dropped_total") == 3)


def test_two_events_that_differ_only_in_their_id_are_two(world: SinkerWorld) -> None:
    world.start()
    event = profile_event()
    world.publish([event, event | {"event_id": str(uuid.uuid4())}])
    world.assert_each_stored_once()


def test_the_batch_grows_while_an_insert_is_in_flight(world: SinkerWorld, clickhouse_proxy) -> None:
    sinker = world.start(clickhouse_http_port=clickhouse_proxy.port, batch_rows=100)
    world.send(100)
    wait_until(lambda: world.rows() == 100)
    clickhouse_proxy.hold_replies()
    world.send(100)
    wait_until(lambda: clickhouse_proxy.bytes_held["reply"] > 0)
    world.send(900)
    wait_until(lambda: sinker.metric("sinker_buffer_rows") + sinker.metric("sinker_in_flight_rows") == 1000)
    clickhouse_proxy.release()
    world.assert_each_stored_once()
    batches = [entry["rows"] for entry in sinker.log() if entry["message"] == "batch stored"]
    assert batches[-1] >= 900


def test_the_sinker_leaves_queues_of_other_types_alone(world: SinkerWorld) -> None:
    world.start()
    with world.connection() as connection, pytest.raises(ChannelClosedByBroker, match="NOT_FOUND"):
        connection.channel().queue_declare("post_log_events_q", passive=True)
