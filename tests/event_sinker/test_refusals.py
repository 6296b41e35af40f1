"""What cannot be stored, and servers that refuse: set aside alone, or a clear word and nothing lost."""

from __future__ import annotations

from datetime import datetime

import pika
import pytest

from event_sinker.writer import connect
from tests.event_sinker.sinker_command import run_command
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until

pytestmark = pytest.mark.integration


def test_a_poisoned_trace_leaves_no_credential_in_the_dead_letters(world: SinkerWorld) -> None:
    world.serve()
    world.start()
    world.publish(
        [b'{"id": "t", "uri": "https://h/?access_token=geheim", "headers": {"X-Api-Key": "geheim'], "trace_log"
    )
    ((headers, body, _),) = wait_until(lambda: world.dead("trace_log"))
    assert headers["x-stir-dead-reason"] == "broken_json"
    assert b"geheim" not in body and b"https://h/" in body


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
    assert "SINKER_RECENT_IDS above the depth" in last
    assert "The exchange dead.dx" not in last


def test_a_dead_letter_exchange_of_another_type_has_a_remedy_of_its_own(world: SinkerWorld) -> None:
    with world.connection() as connection:
        channel = connection.channel()
        channel.exchange_delete("dead.dx")
        channel.exchange_declare("dead.dx", "topic", durable=True)
    sinker = world.start(wait=False)
    assert sinker.process.wait(30) == 3
    last = sinker.messages()[-1]
    assert "other arguments: dead.dx (" in last
    assert "delete it, start them" in last
    assert "temporary" not in last
    with world.connection() as connection:
        connection.channel().exchange_delete("dead.dx")
    world.start()
    world.send(3)
    world.assert_each_stored_once()
