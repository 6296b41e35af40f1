"""The service against a real RabbitMQ and a real ClickHouse, in good weather and with bad messages."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from datetime import datetime

import orjson
import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from event_sinker import schema
from event_sinker.errors import SinkerError
from event_sinker.events import EVENT_TYPES, Column, EventType
from event_sinker.parse import Parser
from event_sinker.writer import Writer, connect
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import REPOSITORY, SinkerWorld, profile_event, wait_until

pytestmark = pytest.mark.integration


def column_of(event: EventType, name: str) -> Column:
    return next(column for column in event.columns if column.name == name)


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


def run_command(world: SinkerWorld, *arguments: str, **changes: object) -> subprocess.CompletedProcess[str]:
    import os

    values = world.settings.model_dump(exclude_unset=True) | changes
    environment = dict(os.environ)
    for name, value in values.items():
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        environment[f"SINKER_{name.upper()}"] = ",".join(text) if isinstance(text, tuple) else str(text)
    return subprocess.run(
        [sys.executable, "-m", "event_sinker", *arguments],
        cwd=REPOSITORY,
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def all_types(world: SinkerWorld) -> SinkerWorld:
    """A world in which every event type is served."""
    world.settings = world.settings.model_copy(update={"event_types": ()})
    with connect(world.settings) as client:
        schema.apply(client, world.settings.served(), world.settings.clickhouse_database)
    world.declare()
    return world


def test_every_type_is_stored_once_under_its_id(all_types: SinkerWorld) -> None:
    world = all_types
    world.start()
    for name, event in EVENT_TYPES.items():
        events = [sample_event(name) for _ in range(3)]
        world.publish(events, name)
        ids = {sent[column_of(event, event.id_column).payload_keys[0]] for sent in events}
        wait_until(lambda event=event: world.rows(event.table) == 3, what=event.table)
        stored = world.query(f"SELECT {event.id_column} FROM DB.{event.table}")
        assert {event_id for (event_id,) in stored} == ids
    assert not any(world.depth(event.dead_queue) for event in EVENT_TYPES.values())


def test_values_arrive_as_they_were_sent(all_types: SinkerWorld) -> None:
    world = all_types
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


def test_a_poisoned_trace_leaves_no_credential_in_the_dead_letters(all_types: SinkerWorld) -> None:
    world = all_types
    world.start()
    world.publish(
        [b'{"id": "t", "uri": "https://h/?access_token=geheim", "headers": {"X-Api-Key": "geheim'], "trace_log"
    )
    ((headers, body, _),) = wait_until(lambda: world.dead("trace_log"))
    assert headers["x-stir-dead-reason"] == "broken_json"
    assert b"geheim" not in body and b"https://h/" in body


def test_an_exchange_of_another_type_is_taken_as_it_is(all_types: SinkerWorld) -> None:
    """Exchanges belong to the publishers. The binding keys are exact, so that a topic exchange serves as well."""
    world = all_types
    with world.connection() as connection:
        channel = connection.channel()
        channel.exchange_delete("identity.dx")
        channel.exchange_declare("identity.dx", "topic", durable=True)
    world.start()
    world.publish([sample_event("trace_log")], "trace_log")
    wait_until(lambda: world.rows("trace_log_events") == 1)


def test_poison_is_set_aside_alone_and_the_rest_flows(world: SinkerWorld) -> None:
    poison = {
        b"": "empty",
        b'{"event_id": "x"': "broken_json",
        b'{"event_id": "x"}': "missing_key",
        b"\xff\xfe": "invalid_utf8",
        b"[]": "not_an_object",
        b'"' + b"x" * 200_000 + b'"': "oversize",
    }
    bad_types = {
        "wrong_type": profile_event(handle=["a"]),
        "bad_time": profile_event(event_timestamp="yesterday"),
        "out_of_range": profile_event(event_timestamp="1999-01-01 00:00:00"),
    }
    sinker = world.start(max_message_bytes=100_000)
    headers = pika.BasicProperties(delivery_mode=2, headers={"trace": "t-1"}, message_id="m-1")
    world.send(50)
    world.publish(poison, properties=headers)
    world.publish(bad_types.values(), properties=headers)
    world.send(50)

    world.assert_each_stored_once(dead=[event["event_id"] for event in bad_types.values()])
    letters = world.dead()
    assert len(letters) == 9
    assert {body: found["x-stir-dead-reason"] for found, body, _ in letters[:6]} == poison
    assert [found["x-stir-dead-reason"] for found, _, _ in letters[6:]] == list(bad_types)
    for found, _, properties in letters:
        assert found["trace"] == "t-1"
        assert properties.message_id == "m-1"
        assert datetime.fromisoformat(found["x-stir-dead-at"]).tzinfo is not None
        assert found["x-stir-routing-key"] == "profile_log_events"
    assert sinker.metric("sinker_dead_letters_total") == 9


def test_a_row_that_clickhouse_refuses_is_found_and_the_others_are_stored(world: SinkerWorld) -> None:
    """The parser cannot know every constraint of the table: the block is halved until the row stands alone."""
    database = world.settings.clickhouse_database
    with connect(world.settings) as client:
        client.command(f"ALTER TABLE {database}.profile_log_events ADD CONSTRAINT c CHECK profile_id != 'refused'")
    sinker = world.start(batch_seconds=2)
    refused = profile_event(profile_id="refused")
    world.send(33)
    world.publish([refused])
    world.send(33)
    world.assert_each_stored_once(dead=[refused["event_id"]])
    ((headers, _, _),) = world.dead()
    assert headers["x-stir-dead-reason"] == "refused_by_clickhouse"
    assert "constraint" in headers["x-stir-dead-detail"].lower()
    assert sinker.metric("sinker_bisections_total") > 0


def test_when_every_row_is_refused_the_sinker_stops_and_keeps_the_messages(world: SinkerWorld) -> None:
    database = world.settings.clickhouse_database
    with connect(world.settings) as client:
        client.command(f"ALTER TABLE {database}.profile_log_events ADD CONSTRAINT c CHECK profile_id = 'none'")
    sinker = world.start(batch_seconds=1)
    world.send(30)
    assert sinker.process.wait(30) == 3
    assert "refuses every one of" in sinker.messages()[-1]
    with connect(world.settings) as client:
        client.command(f"ALTER TABLE {database}.profile_log_events DROP CONSTRAINT c")
    world.start()
    world.assert_each_stored_once()


def test_a_missing_table_stops_the_sinker_with_the_remedy(world: SinkerWorld) -> None:
    with connect(world.settings) as client:
        client.command(f"DROP TABLE {world.settings.clickhouse_database}.profile_log_events SYNC")
    sinker = world.start()
    world.send(10)
    assert sinker.process.wait(30) == 3
    assert "init-schema" in sinker.messages()[-1]

    assert run_command(world, "init-schema", clickhouse_stage_database="").returncode == 0
    world.start()
    world.assert_each_stored_once()


def test_repeated_events_are_stored_once(world: SinkerWorld) -> None:
    """The publisher sends an event again with the same id: in one batch, and in a later one of the same process."""
    sinker = world.start()
    event = profile_event()
    world.publish([event, event, event])
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 3)
    world.publish([event])
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 4)
    world.assert_each_stored_once()
    assert sinker.metric("sinker_duplicates_dropped_total") == 3


def test_two_events_that_differ_only_in_their_id_are_two(world: SinkerWorld) -> None:
    world.start()
    event = profile_event()
    world.publish([event, event | {"event_id": str(uuid.uuid4())}])
    world.assert_each_stored_once()


def test_late_events_of_many_months_fit_into_one_insert(world: SinkerWorld) -> None:
    """ClickHouse refuses an insert into more than 100 partitions unless told otherwise."""
    world.start(batch_seconds=2)
    world.publish(
        profile_event(event_timestamp=f"{2012 + month // 12}-{1 + month % 12:02}-15 00:00:00") for month in range(150)
    )
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


def test_a_large_batch_is_one_block(world: SinkerWorld) -> None:
    """Several blocks under one token would count as repetitions of the first; all rows must be there, in one part."""
    world.start(batch_rows=9500, prefetch=20_000, batch_max_rows=9500, batch_seconds=60)
    with world.connection() as connection:
        channel = connection.channel()
        for _ in range(9500):
            event = profile_event()
            channel.basic_publish("beat.dx", "profile_log_events", orjson.dumps(event))
            world.sent.append(event["event_id"])
    world.assert_each_stored_once()
    database = world.settings.clickhouse_database
    assert world.query(f"SELECT count() FROM system.parts WHERE database = '{database}' AND level = 0") == [(1,)]


def test_a_server_that_stores_less_than_it_confirms_is_not_believed(world: SinkerWorld) -> None:
    """When the confirmed number differs from what was sent, the ids decide."""
    event = EVENT_TYPES["profile_log"]
    writer = Writer(event, world.settings)
    row = Parser(event).row(orjson.dumps(profile_event()), int(time.time()), "batch")
    with pytest.raises(SinkerError, match="1 are not there"):
        writer._require_all([row], written=0)
    writer.write("b", [row], threading.Event())
    writer._require_all([row], written=0)


def test_the_lookup_finds_rows_whatever_their_keys_contain(world: SinkerWorld) -> None:
    event = EVENT_TYPES["profile_log"]
    writer = Writer(event, world.settings)
    texts = ["a'b", "a\\b", "a\nb", "%(ids)s", "%s", "", "😀", "\u0000", '"', "{x:String}"]
    parse = Parser(event).row
    rows = [
        parse(orjson.dumps(profile_event(profile_id=text, event_id=f"id-{text}")), int(time.time()), "b")
        for text in texts
    ]
    assert writer.write("b", rows[:-1], threading.Event()) == []
    assert writer.stored_ids(rows, time.monotonic(), threading.Event()) == {f"id-{text}" for text in texts[:-1]}


def test_a_wrong_clickhouse_password_stops_the_sinker_with_the_remedy(world: SinkerWorld) -> None:
    sinker = world.start(wait=False, clickhouse_password="wrong")
    world.send(1)
    assert sinker.process.wait(30) == 3
    assert "SINKER_CLICKHOUSE_PASSWORD" in sinker.messages()[-1]
    world.start()
    world.assert_each_stored_once()


def test_a_queue_with_other_arguments_is_an_error_that_says_how_to_migrate(world: SinkerWorld) -> None:
    with world.connection() as connection:
        channel = connection.channel()
        channel.queue_delete("profile_log_events_q")
        channel.queue_declare("profile_log_events_q", durable=True)
    sinker = world.start(wait=False)
    assert sinker.process.wait(30) == 3
    last = sinker.messages()[-1]
    assert "RabbitMQ has with other arguments: profile_log_events_q (" in last
    assert "To migrate each of them without loss" in last


def test_a_table_with_another_partition_key_is_refused(world: SinkerWorld) -> None:
    database = world.settings.clickhouse_database
    event = EVENT_TYPES["profile_log"]
    with connect(world.settings) as client:
        client.command(f"DROP TABLE {database}.profile_log_events SYNC")
        ddl = schema.create_table(event, database).replace("toYYYYMM(event_timestamp)", "toYYYYMMDD(event_timestamp)")
        client.command(ddl)
        with pytest.raises(SinkerError, match=r"partition key.*RENAME TABLE"):
            schema.apply(client, [event], database)


def test_init_schema_finds_its_own_tables_in_place(all_types: SinkerWorld) -> None:
    """Every start of the local stack runs it again."""
    with connect(all_types.settings) as client:
        assert schema.apply(client, list(EVENT_TYPES.values()), all_types.settings.clickhouse_database) == []


def test_init_schema_brings_an_older_table_up_to_date(world: SinkerWorld) -> None:
    """A table of the old design: no deduplication window, no retry_count, no batch id. Its rows stay."""
    database = world.settings.clickhouse_database
    event = EVENT_TYPES["scrape_request_log"]
    old = ", ".join(f"{column.name} {column.type}" for column in event.columns if column.name in scrape_event())
    with connect(world.settings) as client:
        client.command(f"DROP TABLE IF EXISTS {database}.{event.table} SYNC")
        client.command(
            f"CREATE TABLE {database}.{event.table} ({old.replace('retry_count Nullable(Int32), ', '')}, "
            f"insert_timestamp DateTime) ENGINE = MergeTree "
            f"PARTITION BY {event.partition_by} ORDER BY ({', '.join(event.order_by)})"
        )
        client.command(f"INSERT INTO {database}.{event.table} (event_id, event_timestamp) VALUES ('old', now())")
        changes = schema.apply(client, [event], database)
        assert any("retry_count" in change for change in changes)
        assert any("non_replicated_deduplication_window = 1000" in change for change in changes)
        assert any("MATERIALIZE INDEX ids" in change for change in changes)
        assert schema.apply(client, [event], database) == []
        assert client.query(f"SELECT event_id, retry_count FROM {database}.{event.table}").result_rows == [
            ("old", None)
        ]


def test_status_and_dead_letter_list(world: SinkerWorld) -> None:
    world.start()
    world.publish([profile_event(), b"{"])
    wait_until(lambda: world.rows() == 1 and world.depth("profile_log_events_q.dead") == 1)
    status = run_command(world, "status", "--json")
    assert status.returncode == 0, status.stderr
    assert '"event_type":"profile_log","waiting":0,"consumers":1,"dead":1,"rows":1' in status.stdout
    for _ in range(2):  # listing takes nothing away
        listing = run_command(world, "dlq", "list", "profile_log")
        assert listing.returncode == 0, listing.stderr
        assert "broken_json" in listing.stdout
    assert world.depth("profile_log_events_q.dead") == 1


def test_health_endpoints(world: SinkerWorld, clickhouse_proxy) -> None:
    sinker = world.start(clickhouse_http_port=clickhouse_proxy.port)
    assert sinker.get("/livez").json()["ok"] is True
    assert sinker.get("/readyz").json() == {
        "ok": True,
        "subscribed": {"profile_log_events_q": True},
        "stores": {"profile_log_events_q": True},
        "clickhouse": True,
        "stopped": {},
    }
    assert "sinker_rows_inserted_total" in sinker.get("/metrics").text
    clickhouse_proxy.refuse(True)
    wait_until(lambda: sinker.get("/readyz").status_code == 503)
    assert sinker.get("/livez").status_code == 200
    assert sinker.get("/nothing").status_code == 404


def test_logs_are_json_and_hold_no_event(world: SinkerWorld) -> None:
    sinker = world.start()
    world.publish([profile_event(handle="private-name"), profile_event(handle=["private-name"])])
    wait_until(lambda: "batch stored" in sinker.messages())
    text = sinker.log_path.read_text()
    assert len(sinker.log()) == len(text.splitlines())
    assert "private-name" not in text
    entry = next(entry for entry in sinker.log() if entry["message"] == "batch stored")
    assert entry["queue"] == "profile_log_events_q"
    assert entry["rows"] == 1
    assert {"bytes", "ms", "batch_id"} <= set(entry)
    password = world.settings.clickhouse_password.get_secret_value()
    assert password not in text


def test_the_sinker_leaves_queues_of_other_types_alone(world: SinkerWorld) -> None:
    world.start()
    with world.connection() as connection, pytest.raises(ChannelClosedByBroker, match="NOT_FOUND"):
        connection.channel().queue_declare("post_log_events_q", passive=True)


def test_a_large_batch_of_wide_rows_is_stored_whole(world: SinkerWorld) -> None:
    """The client would cut such a batch into several blocks, of which one deduplication token keeps only the first."""
    world.send(1_200, dimensions={"bio": "x" * 6_000})
    world.start(batch_rows=1_200, batch_bytes=16 << 20, batch_seconds=30)

    world.assert_each_stored_once()


def test_a_server_that_answers_but_refuses_inserts_is_not_ready(world: SinkerWorld) -> None:
    """Too many parts: a ping succeeds, an insert does not."""
    sinker = world.start_and_store_one()
    table = f"{world.settings.clickhouse_database}.profile_log_events"
    world.client.command(f"ALTER TABLE {table} MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    world.send(5)
    wait_until(lambda: sinker.get("/readyz").status_code == 503, what="not ready")
    assert sinker.get("/readyz").json()["clickhouse"] is True
    assert sinker.get("/readyz").json()["stores"] == {"profile_log_events_q": False}
    world.client.command(f"ALTER TABLE {table} RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
    world.assert_each_stored_once()
    assert sinker.ready()
