"""Headers that pika alone cannot carry, as values and through the running service."""

from __future__ import annotations

import math
import struct

import pika
import pika.data
import pytest

from event_sinker import header_values
from tests.fault.sinker_process import SinkerWorld, profile_event

FAR = 1_767_600_000_000  # milliseconds where seconds belong


def time_past_9999() -> bytes:
    """A table {"at": timestamp} as RabbitMQ carries it."""
    entry = b"\x02atT" + struct.pack(">Q", FAR)
    return struct.pack(">I", len(entry)) + entry


@pytest.mark.unit
def test_pika_alone_still_fails() -> None:
    """When this fails, pika has learnt it and `header_values` can go."""
    with pytest.raises((ValueError, OverflowError)):
        header_values._read(time_past_9999(), 7)


@pytest.mark.unit
@pytest.mark.parametrize("value", [1.5, -0.0, 1e308, math.inf])
def test_fractions_come_back(value: float) -> None:
    header_values.install()
    pieces: list[bytes] = []
    pika.data.encode_table(pieces, {"nested": {"list": [value]}})
    decoded, _ = pika.data.decode_table(b"".join(pieces), 0)
    assert decoded == {"nested": {"list": [value]}}


@pytest.mark.unit
def test_a_time_past_9999_is_its_number() -> None:
    header_values.install()
    assert pika.data.decode_table(time_past_9999(), 0)[0] == {"at": FAR}


@pytest.mark.integration
def test_a_message_with_such_headers_stops_nothing(world: SinkerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good ones are stored, bad ones are dead letters with their headers; the queue goes on."""
    sinker = world.start()
    header_values.install()
    write = pika.data.encode_value

    def with_raw_time(pieces: list[bytes], value: object) -> int:
        if value == FAR:
            pieces.append(b"T" + struct.pack(">Q", FAR))
            return 9
        return write(pieces, value)

    monkeypatch.setattr(pika.data, "encode_value", with_raw_time)
    headers = pika.BasicProperties(delivery_mode=2, headers={"at": FAR, "share": 1.5})
    world.publish([profile_event(), b"{", profile_event()], properties=headers)
    world.send(3)
    world.assert_each_stored_once()
    ((found, _, _),) = world.dead()
    assert (found["at"], found["share"]) == (FAR, 1.5)
    assert sinker.metric("sinker_rabbitmq_reconnects_total") == 0
