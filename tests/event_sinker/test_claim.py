"""The claim to messages in hand: when an insert may start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

import pytest

from event_sinker.claim import Claim, clock
from event_sinker.errors import Abandoned

pytestmark = pytest.mark.unit

Require = Callable[[Claim], "Future[None]"]


@pytest.fixture
def require() -> Iterator[Require]:
    """Requires a claim in a thread of its own, as the worker does."""
    with ThreadPoolExecutor() as pool:
        yield lambda claim: pool.submit(claim.require)


def test_a_fresh_answer_lets_an_insert_start() -> None:
    Claim(10, asked=clock()).require()
    Claim().require()


def test_an_old_answer_waits_for_a_new_one(require: Require) -> None:
    claim = Claim(10, asked=clock() - 11)
    waiting = require(claim)
    with pytest.raises(NotYet):
        waiting.result(0.1)
    claim.confirmed(clock())
    waiting.result(1)


def test_the_clock_goes_on_while_the_machine_sleeps() -> None:
    assert abs(clock() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_the_time_of_the_question_counts(require: Require) -> None:
    """An answer may lie in a buffer while the process is suspended, and is then as old as its question."""
    claim = Claim(10, asked=clock() - 20)
    claim.confirmed(clock() - 11)
    waiting = require(claim)
    with pytest.raises(NotYet):
        waiting.result(0.1)
    claim.give_up()
    with pytest.raises(Abandoned):
        waiting.result(1)


def test_what_is_lost_stays_lost() -> None:
    claim = Claim(10, asked=clock())
    claim.give_up()
    claim.confirmed(clock())
    assert claim.lost
    with pytest.raises(Abandoned):
        claim.require()


def test_one_question_at_a_time_and_none_too_early() -> None:
    claim = Claim(10, asked=100)
    assert not claim.must_ask(102.4)
    assert claim.must_ask(102.5)
    assert not claim.must_ask(109), "it has been asked"
    claim.confirmed(102.5)
    assert not claim.must_ask(104.9)
    assert claim.must_ask(105)
    claim.confirmed(105)
    claim.give_up()
    assert not claim.must_ask(1000)


def test_a_pause_ends_when_the_claim_is_lost() -> None:
    claim = Claim(10, asked=clock())
    assert not claim.wait(0)
    begin = time.monotonic()
    threading.Timer(0.1, claim.give_up).start()
    assert claim.wait(10)
    assert time.monotonic() - begin < 5
