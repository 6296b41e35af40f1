"""The memory budget and the poison limits, without servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_sinker.budget import MemoryBudget
from event_sinker.errors import SinkerError
from event_sinker.poison_limit import PoisonLimit

pytestmark = pytest.mark.unit


def limit(consecutive: int = 0, ratio: float = 0, window: int = 100) -> PoisonLimit:
    return PoisonLimit("q", consecutive, ratio, window)


def done(limit: PoisonLimit, batch: list[bool]) -> None:
    limit.require(batch, "missing_key: key handle is missing")
    limit.record(batch)


def test_poison_in_a_row_counts_over_batches() -> None:
    poison = limit(consecutive=10)
    done(poison, [True] * 6)
    done(poison, [True] * 4)
    with pytest.raises(SinkerError, match=r"queue q .* 11 messages in a row .* key handle is missing"):
        done(poison, [True])
    done(limit(consecutive=10), [True] * 10 + [False] + [True] * 10)


def test_a_batch_that_was_not_done_does_not_count() -> None:
    poison = limit(consecutive=10)
    for _ in range(3):
        with pytest.raises(SinkerError):
            poison.require([True] * 11, "")
    done(poison, [True] * 10)


def test_the_part_of_the_last_messages() -> None:
    poison = limit(ratio=0.5)
    done(poison, [True] * 60)  # fewer than the window: nothing can be said yet
    done(poison, [False] * 60)
    done(poison, [False] * 60)  # the first 60 are forgotten
    with pytest.raises(SinkerError, match=r"130 of the last 250 messages.*SINKER_POISON_MAX_RATIO"):
        done(poison, [True] * 130)
    done(poison, [True, False] * 50)


def test_zero_is_no_limit() -> None:
    done(limit(), [True] * 10_000)


@given(
    st.lists(st.lists(st.booleans(), max_size=12), max_size=25),
    st.integers(min_value=1, max_value=6),
    st.integers(min_value=1, max_value=30),
)
def test_how_messages_are_cut_into_batches_changes_nothing_in_a_row(
    batches: list[list[bool]], most: int, window: int
) -> None:
    poison = PoisonLimit("q", most, 0, window)
    run = 0
    for batch in batches:
        longest = run
        for dead in batch:
            run = run + 1 if dead else 0
            longest = max(longest, run)
        if longest > most:
            with pytest.raises(SinkerError):
                done(poison, batch)
            return
        done(poison, batch)


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=12), max_size=25),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.integers(min_value=1, max_value=30),
)
def test_the_part_is_taken_over_at_least_the_window(batches: list[list[bool]], ratio: float, window: int) -> None:
    """The last batches that together hold the window, no more of them than that takes."""
    poison = PoisonLimit("q", 0, ratio, window)
    history: list[list[bool]] = []
    for batch in batches:
        kept: list[list[bool]] = []
        for earlier in reversed(history):
            if sum(map(len, kept)) >= window:
                break
            kept.append(earlier)
        messages = sum(map(len, kept)) + len(batch)
        dead = sum(map(sum, kept)) + sum(batch)
        if messages >= window and dead > ratio * messages:
            with pytest.raises(SinkerError):
                done(poison, batch)
            return
        done(poison, batch)
        history.append(batch)


def test_the_largest_consumers_pause_and_a_small_one_goes_on() -> None:
    budget = MemoryBudget(1000, consumers=5)
    budget.take(950)
    assert not budget.must_pause(950)
    budget.take(50)
    assert budget.must_pause(950)
    assert not budget.must_pause(50), "below its reserved share of 100"
    budget.take(60)
    assert budget.must_pause(110)


def test_a_pause_ends_when_half_is_free_or_own_share_is() -> None:
    budget = MemoryBudget(1000, consumers=5)
    budget.take(1000)
    assert not budget.may_resume(500)
    assert budget.may_resume(50), "others hold the memory, this one's share is free"
    budget.give_back(500)
    assert budget.may_resume(500)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 300)), max_size=300))
def test_memory_is_bounded_whoever_takes(takes: list[tuple[int, int]]) -> None:
    """However messages arrive, the sum stays below the limit, the reserved shares, and one message per consumer."""
    budget = MemoryBudget(1000, consumers=5)
    held = [0] * 5
    paused = [False] * 5
    for consumer, size in takes:
        if not paused[consumer]:
            held[consumer] += size
            budget.take(size)
            paused[consumer] = budget.must_pause(held[consumer])
    assert budget.used == sum(held) <= 1000 + 5 * 100 + 5 * 300
