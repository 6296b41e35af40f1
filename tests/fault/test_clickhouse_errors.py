"""ClickHouse answers an insert with an error: what is tried again, what is searched for a bad row."""

from __future__ import annotations

import orjson
import pytest

from event_sinker.writer import _UNKNOWN_ATTEMPTS
from tests.fault.clickhouse_faults import ClickHouseFaults
from tests.fault.sinker_process import SinkerProcess, SinkerWorld, wait_until

pytestmark = pytest.mark.integration


def started(world: SinkerWorld, faults: ClickHouseFaults) -> SinkerProcess:
    """A sinker behind the faults whose batches are 20 events, never fewer; one is stored."""
    sinker = world.start(clickhouse_http_port=faults.port, batch_rows=20, batch_seconds=60, retry_max_seconds=0.1)
    world.send(20)
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 20)
    faults.tokens.clear()
    return sinker


def ranges(faults: ClickHouseFaults) -> list[str]:
    """Which rows of their batch the INSERTs carried."""
    return [token.rsplit(":", 1)[1] for token in faults.tokens]


SERVER_FAULTS = {
    252: "too many parts",
    241: "memory limit",
    242: "table is read-only",
    202: "too many queries",
    210: "network error",
    236: "aborted",
    319: "unknown status of insert",
    745: "server overloaded",
}
"""Codes that say nothing about the rows."""


def test_a_fault_of_the_server_repeats_the_same_block_with_the_same_token(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: whatever ails the server, and whether or not it stored the rows all the same, there is one copy."""
    sinker = started(world, clickhouse_faults)
    for code, name in SERVER_FAULTS.items():
        clickhouse_faults.tokens.clear()
        clickhouse_faults.answer(code, times=4)
        clickhouse_faults.answer(code, times=2, stored=True)
        world.send(20)
        wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == len(world.sent))
        assert len(clickhouse_faults.tokens) == 7, name
        assert len(set(clickhouse_faults.tokens)) == 1, name
        assert sinker.metric("sinker_retries_total", code=str(code)) == 6, name
    world.assert_each_stored_once()
    assert sinker.metric("sinker_bisections_total") == 0
    assert world.dead() == []


def test_a_block_that_is_refused_is_halved_and_nothing_is_set_aside_in_vain(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: the whole block is refused, both halves are taken; no event is called poison."""
    sinker = started(world, clickhouse_faults)
    for code in (53, 117):  # type mismatch, incorrect data
        clickhouse_faults.tokens.clear()
        clickhouse_faults.answer(code, times=1)
        world.send(20)
        wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == len(world.sent))
        assert ranges(clickhouse_faults) == ["0-20", "0-10", "10-20"], code
    world.assert_each_stored_once()
    assert sinker.metric("sinker_bisections_total") == 2
    assert world.dead() == []


def test_an_unknown_code_is_repeated_a_few_times_and_then_taken_for_a_bad_row(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: a code that no list knows. Here it was about the block as a whole, so its halves are taken."""
    sinker = started(world, clickhouse_faults)
    clickhouse_faults.answer(9999, times=_UNKNOWN_ATTEMPTS)
    world.send(20)
    world.assert_each_stored_once()
    assert ranges(clickhouse_faults) == ["0-20"] * _UNKNOWN_ATTEMPTS + ["0-10", "10-20"]
    assert sinker.metric("sinker_retries_total", code="9999") == _UNKNOWN_ATTEMPTS - 1
    assert world.dead() == []


def test_an_unknown_code_that_ends_during_the_halving_blames_no_row(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: the whole, the first part, ... and the first row alone fail, all others go in, and so does the first."""
    started(world, clickhouse_faults)
    clickhouse_faults.answer(9999, times=_UNKNOWN_ATTEMPTS + len(["0-10", "0-5", "0-3", "0-2", "0-1"]))
    world.send(20)
    world.assert_each_stored_once()
    assert ranges(clickhouse_faults)[-1] == "0-1"
    assert ranges(clickhouse_faults).count("0-1") == 2
    assert world.dead() == []


def test_a_row_that_fails_alone_with_an_unknown_code_is_set_aside(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: it is tried once more when the others have gone in, and fails then as well."""
    started(world, clickhouse_faults)
    clickhouse_faults.answer_whenever(9999, within="0-1")
    world.send(20)
    ((_, body, _),) = wait_until(world.dead)
    world.assert_each_stored_once(dead=[orjson.loads(body)["event_id"]])


def test_an_unknown_code_of_an_insert_that_happened_makes_no_second_copy(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: the rows are there and the server goes on denying it; the halves would carry tokens of their own."""
    started(world, clickhouse_faults)
    clickhouse_faults.answer(9999, times=_UNKNOWN_ATTEMPTS, stored=True)
    world.send(20)
    world.assert_each_stored_once()
    assert world.dead() == []


def test_a_gateway_that_answers_for_clickhouse_is_waited_for(
    world: SinkerWorld, clickhouse_faults: ClickHouseFaults
) -> None:
    """Case 10: a load balancer whose server is away answers without any code of ClickHouse: no row is at fault."""
    sinker = started(world, clickhouse_faults)
    for status in (503, 502, 500):
        clickhouse_faults.tokens.clear()
        clickhouse_faults.answer(None, times=_UNKNOWN_ATTEMPTS + 2, status=status)
        world.send(20)
        wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == len(world.sent))
        assert ranges(clickhouse_faults) == ["0-20"] * (_UNKNOWN_ATTEMPTS + 3), f"status {status}"
    world.assert_each_stored_once()
    assert world.dead() == []
    assert sinker.metric("sinker_bisections_total") == 0
