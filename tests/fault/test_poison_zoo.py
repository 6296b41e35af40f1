"""Everything that can be wrong with a message, for every event type: each is set aside with its reason, none lost."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from event_sinker.event_type import EventType, Rule
from event_sinker.events import EVENT_TYPES
from event_sinker.redact import redact
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, id_key

pytestmark = pytest.mark.integration


def time_key(event: EventType) -> str:
    return next(column.payload_keys[0] for column in event.columns if column.name == event.time_column)


def required_key(event: EventType) -> str:
    """A key that must be there."""
    return next(column.payload_keys[0] for column in event.columns if column.required and column.from_payload)


def text_key(event: EventType) -> str:
    """A key whose value is text."""
    rules = {Rule.TEXT, Rule.TEXT_OR_EMPTY}
    return next(column.payload_keys[0] for column in event.columns if column.rule in rules)


def json_key(event: EventType) -> str | None:
    """A key whose value is an object, if the type has one."""
    return next((column.payload_keys[0] for column in event.columns if column.rule is Rule.JSON), None)


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def foreign(event: EventType) -> tuple[str, bytes]:
    """A good event of another type. A launch needs no key but `timestamp`, which a trace has too, as text."""
    if event.name == "launch_refer":
        return "wrong_type", json.dumps(sample_event("trace_log")).encode()
    return "missing_key", json.dumps(sample_event("launch_refer")).encode()


def bad_times(event: EventType) -> list[tuple[str, object]]:
    """Reason and value."""
    if any(column.rule is Rule.EVENT_EPOCH for column in event.columns):
        return [
            ("wrong_type", "2026-03-01 00:00:00"),
            ("wrong_type", "1772323200"),
            ("bad_time", -1),
            ("bad_time", 1 << 32),
            ("out_of_range", 946_684_799),
            ("out_of_range", 4_070_908_800),
        ]
    return [
        ("bad_time", "yesterday"),
        ("bad_time", "2026-02-30 00:00:00"),
        ("bad_time", "0000-00-00 00:00:00"),
        ("bad_time", "9999-12-31 23:59:59"),
        ("bad_time", "1969-12-31 23:59:59"),
        ("out_of_range", "1999-12-31 23:59:59"),
        ("out_of_range", "2099-01-01 00:00:00"),
    ]


def zoo(event: EventType) -> list[tuple[str, bytes]]:
    """Reason and body of each poison; no two bodies are the same."""

    def valid() -> dict[str, Any]:
        return sample_event(event.name)

    def changed(**changes: Any) -> bytes:
        return json.dumps(valid() | changes).encode()

    whole = json.dumps(valid()).encode()
    without = valid()
    del without[required_key(event)]
    animals = [
        ("empty", b""),
        ("broken_json", whole[:-1]),
        ("broken_json", whole + b"}"),
        ("broken_json", b"<html>502</html>"),
        ("broken_json", b"\x00" * 100),
        ("broken_json", b'{"a": NaN}'),
        ("broken_json", b"[" * 100_000),
        ("broken_json", nested(100_000)),
        ("invalid_utf8", b"\xff" + whole),
        ("invalid_utf8", whole.replace(b'"}', b'\xed\xa0\x80"}').replace(b": 1}", b': 1, "x": "\xc3("}') + b"\xff"),
        ("not_an_object", b"[]"),
        ("not_an_object", b"[" + whole + b"]"),
        ("not_an_object", b"42"),
        ("not_an_object", b'"text"'),
        ("not_an_object", b"null"),
        ("missing_key", b"{}"),
        foreign(event),
        ("missing_key", json.dumps(without).encode()),
        ("wrong_type", changed(**{text_key(event): ["a", "list"]})),
        ("wrong_type", changed(**{text_key(event): {"an": "object"}})),
        ("wrong_type", changed(**{time_key(event): True})),
        ("out_of_range", changed(**{id_key(event.name): "x" * 256})),
        ("oversize", b'"' + event.name.encode() * ((2 << 20) // len(event.name)) + b'"'),
    ]
    animals += [(reason, changed(**{time_key(event): time})) for reason, time in bad_times(event)]
    if key := json_key(event):
        body = json.dumps(valid() | {key: "NESTED"}).encode()
        animals += [
            ("wrong_type", changed(**{key: [1, 2]})),
            ("out_of_range", body.replace(b'"NESTED"', nested(500))),
            ("broken_json", body.replace(b'"NESTED"', nested(50_000))),
        ]
    return animals


def test_every_poison_of_every_type_is_set_aside_with_its_reason(world: SinkerWorld) -> None:
    """Case 14: sent = stored + dead, for all types in one process, and each reason is the right one."""
    world.serve()
    sinker = world.start()
    zoos = {name: zoo(event) for name, event in EVENT_TYPES.items()}
    for name, animals in zoos.items():
        world.send(10, name)
        world.publish([body for _, body in animals], name)
        world.send(10, name)
    world.assert_each_stored_once()
    for name, animals in zoos.items():
        # Credentials are blanked in dead letters too, so those of such a type are not what was sent byte for byte.
        kept = redact if EVENT_TYPES[name].redacted else bytes
        found = Counter((headers["x-stir-dead-reason"], body) for headers, body, _ in world.dead(name))
        expected = Counter((reason, kept(body)) for reason, body in animals)
        assert found == expected, f"{name}: {[(reason, body[:80]) for reason, body in found - expected]}"
    assert sinker.process.poll() is None


def test_a_body_of_ten_megabytes(world: SinkerWorld) -> None:
    """Case 14: far beyond the limit, and below what RabbitMQ accepts: it is moved whole."""
    world.start()
    body = b'{"event_id": "' + b"x" * (10 << 20) + b'"}'
    world.publish([body])
    world.send(10)
    world.assert_each_stored_once()
    ((headers, found, _),) = world.dead()
    assert headers["x-stir-dead-reason"] == "oversize"
    assert found == body
