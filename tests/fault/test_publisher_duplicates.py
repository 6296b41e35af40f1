"""The publisher truly sends the same body twice, and the sinker dies with the second one in its hands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.event_sinker.sample_events import sample_event
from tests.fault.sinker_process import SinkerProcess, SinkerWorld, wait_until
from tests.fault.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration


@pytest.fixture
def launches(world: SinkerWorld) -> SinkerWorld:
    """A world of the one event type whose events may have no id."""
    world.serve("launch_refer")
    return world


def store_first_copy(world: SinkerWorld, proxy: TcpProxy, body: dict[str, Any]) -> SinkerProcess:
    """One copy is stored and acknowledged, by a sinker that inserts each event alone."""
    sinker = world.start(clickhouse_http_port=proxy.port, batch_rows=1, batch_max_rows=1)
    world.publish([body], "launch_refer")
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 1)
    return sinker


@pytest.mark.parametrize("inserted", [False, True], ids=["not-inserted", "inserted"])
def test_without_an_id_both_copies_are_stored(
    launches: SinkerWorld, clickhouse_proxy: TcpProxy, inserted: bool
) -> None:
    """Case 13: two sends are two events. The copy whose acknowledgement never came may be there once more."""
    body = sample_event("launch_refer")
    del body["eventId"]
    sinker = store_first_copy(launches, clickhouse_proxy, body)
    clickhouse_proxy.hold_replies() if inserted else clickhouse_proxy.refuse(True)
    launches.publish([body], "launch_refer")
    wait_until(lambda: sinker.metric("sinker_in_flight_rows") == 1)
    wait_until(lambda: launches.rows("launch_refer_events") == (2 if inserted else 1))
    sinker.kill()

    launches.start()
    launches.send(10, "launch_refer")
    copies = 3 if inserted else 2
    wait_until(lambda: launches.rows("launch_refer_events") >= copies + 10)
    stored = launches.stored()
    assert stored.pop("") == copies
    assert stored == dict.fromkeys(launches.sent, 1)


def test_with_an_id_one_copy_is_stored(launches: SinkerWorld, clickhouse_proxy: TcpProxy) -> None:
    """Case 13: the second copy waits behind another event when the sinker dies; the successor finds the id stored."""
    body = sample_event("launch_refer")
    sinker = store_first_copy(launches, clickhouse_proxy, body)
    clickhouse_proxy.refuse(True)
    launches.send(1, "launch_refer")
    launches.publish([body], "launch_refer")
    wait_until(lambda: sinker.metric("sinker_buffer_rows") == 1)
    sinker.kill()

    second = launches.start()
    launches.send(10, "launch_refer")
    launches.assert_each_stored_once()
    wait_until(lambda: second.metric("sinker_duplicates_dropped_total") == 1)
