"""Damaged messages of every type through the running service: each becomes a row or a dead letter, none disappears."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from typing import Any

import pytest

from event_sinker.events import EVENT_TYPES, EventType
from event_sinker.parse import Parser, Poison
from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerWorld, wait_until

pytestmark = pytest.mark.integration

PER_TYPE = 80
STRANGE: list[Any] = [
    None,
    True,
    "",
    " ",
    0,
    -1,
    1.5,
    1e308,
    18446744073709551616,
    "18446744073709551615",
    "2026-02-30 00:00:00",
    "2026-01-05T08:00:00+05:30",
    "1970-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "\u0000",
    "\ud83d",
    "😀" * 50,
    "'; DROP TABLE x; --",
    "%(ids)s {x:String}",
    [],
    [1, "a", None],
    {},
    {"a": {"b": [1, 2.5, None]}},
    {"": "\\", "n": 9007199254740993},
]


def damaged(event_type: str, draw: random.Random) -> bytes:
    """A valid message with keys dropped, added or replaced, and sometimes bytes cut off or changed."""
    payload = sample_event(event_type)
    for _ in range(draw.randrange(4)):
        key = draw.choice(sorted(payload))
        action = draw.random()
        if action < 0.2:
            del payload[key]
        elif action < 0.3:
            payload[str(draw.random())] = draw.choice(STRANGE)
        else:
            payload[key] = draw.choice(STRANGE)
        if not payload:
            break
    body = json.dumps(payload, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
    if draw.random() < 0.1:
        body = body[: draw.randrange(len(body))]
    if draw.random() < 0.1 and body:
        at = draw.randrange(len(body))
        body = body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :]
    return body


def expected(event: EventType, bodies: list[bytes]) -> tuple[Counter[str], Counter[str]]:
    """Ids of the rows, once each but for the empty id, and reasons of the dead letters, as the parser decides."""
    parser, id_index = Parser(event), event.column_names.index(event.id_column)
    ids: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for body in bodies:
        try:
            ids[parser.row(body, int(time.time()), "")[id_index]] += 1
        except Poison as poison:
            reasons[poison.reason.value] += 1
    return Counter({event_id: times if not event_id else 1 for event_id, times in ids.items()}), reasons


@pytest.mark.parametrize("seed", [1, 2])
def test_every_damaged_message_is_a_row_or_a_dead_letter(world: SinkerWorld, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- a reproducible draw
    world.serve()
    sent = {name: [damaged(name, draw) for _ in range(PER_TYPE)] for name in EVENT_TYPES}
    sinker = world.start(poison_max_ratio=0, poison_max_consecutive=0)
    for name, bodies in sent.items():
        world.publish(bodies, name)
    total = PER_TYPE * len(EVENT_TYPES)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == total, 120, "all acknowledged")

    for name, bodies in sent.items():
        event = EVENT_TYPES[name]
        ids, reasons = expected(event, bodies)
        assert ids and reasons, "the damage leaves some of both"
        stored = Counter(event_id for (event_id,) in world.query(f"SELECT {event.id_column} FROM DB.{event.table}"))
        assert stored == ids, name
        assert Counter(headers["x-stir-dead-reason"] for headers, _, _ in world.dead(name)) == reasons, name
