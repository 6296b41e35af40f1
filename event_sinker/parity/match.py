"""Which event tells of which row of the log. They share no id: only what they say, and about when."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from event_sinker.parity.content import differing_keys
from event_sinker.parity.facts import SECONDS_PER_DAY, Entity, Fact

CLOCK_SLACK = 1  # an event has whole seconds, cut off, so it can seem to be published before it was scraped


def pairs(logged: Sequence[float], published: Sequence[float], slack: int, tolerance: int) -> list[tuple[int, int]]:
    """As many pairs (index, index) as possible with published - logged from -slack to tolerance; both are in order.

    All spans of time are equally long, so taking the earliest that fits never costs a pair.
    """
    found = []
    row = event = 0
    while row < len(logged) and event < len(published):
        delay = published[event] - logged[row]
        if delay < -slack:
            event += 1
        elif delay > tolerance:
            row += 1
        else:
            found.append((row, event))
            row += 1
            event += 1
    return found


def shifts_over_midnight(
    logged: Iterable[tuple[int, Entity]], published: Iterable[tuple[int, Entity]], tolerance: int
) -> Counter[tuple[int, str]]:
    """How many facts were logged before and published after each midnight (epoch seconds), by platform.

    Both inputs are seconds and entities around midnights, in order of time. A fact counts as shifted only if an event
    after midnight would have no row, and a row before it no event, unless they belong together.
    """
    shifts: Counter[tuple[int, str]] = Counter()
    # The log comes first: PostgreSQL sorts before its first row, and ClickHouse would not wait that long for a reader.
    both = heapq.merge(_by_midnight(logged, 0), _by_midnight(published, 1), key=itemgetter(0))
    for midnight, facts in groupby(both, key=itemgetter(0)):
        seconds: dict[Entity, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for _, side, second, entity in facts:
            seconds[entity][side].append(second)
        for (platform, *_), (rows, events) in seconds.items():
            if rows and events and rows[0] < midnight <= events[-1]:
                shifts[midnight, platform] += _shifted(midnight, rows, events, tolerance)
    return shifts


def _by_midnight(facts: Iterable[tuple[int, Entity]], side: int) -> Iterator[tuple[int, int, int, Entity]]:
    for second, entity in facts:
        yield (second + SECONDS_PER_DAY // 2) // SECONDS_PER_DAY * SECONDS_PER_DAY, side, second, entity


def _shifted(midnight: int, rows: list[int], events: list[int], tolerance: int) -> int:
    """Pairs that are possible, less those that are possible within the two days. Seconds are whole, so no slack."""
    every = pairs(rows, events, 0, tolerance)
    before = pairs([r for r in rows if r < midnight], [e for e in events if e < midnight], 0, tolerance)
    after = pairs([r for r in rows if r >= midnight], [e for e in events if e >= midnight], 0, tolerance)
    return len(every) - len(before) - len(after)


@dataclass(frozen=True)
class Difference:
    """A row of the log without an event of the same content in its time, or the reverse, or one of each."""

    row: Fact | None
    event: Fact | None
    repeats: bool = False  # the event says again what a matched event said

    @property
    def kind(self) -> str:
        if self.event is None:
            return "missing in ClickHouse"
        return "only in ClickHouse" if self.row is None else "differing content"

    @property
    def fact(self) -> Fact:
        return self.row or self.event

    @property
    def keys(self) -> list[str]:
        """Where the contents differ."""
        return differing_keys(self.row.content, self.event.content) if self.row and self.event else []


@dataclass
class Matching:
    """The rows and events of one entity that tell the same, and what is left."""

    matched: list[Fact] = field(default_factory=list)  # rows
    differences: list[Difference] = field(default_factory=list)


def match(rows: Iterable[Fact], events: Iterable[Fact], tolerance: int) -> Matching:
    """Match the facts of one entity: by content and time first, then what is left by time alone."""
    by_content: dict[object, tuple[list[Fact], list[Fact]]] = defaultdict(lambda: ([], []))
    for side, facts in enumerate((rows, events)):
        for fact in facts:
            by_content[fact.content][side].append(fact)
    matching = Matching()
    rows_left: list[Fact] = []
    events_left: list[Fact] = []
    for same_rows, same_events in by_content.values():
        both, rows_alone, events_alone = _pair(same_rows, same_events, tolerance)
        matching.matched += [row for row, _ in both]
        rows_left += rows_alone
        events_left += events_alone
    told = {row.content for row in matching.matched}
    repeats = [event for event in events_left if event.content in told]
    differing, rows_left, events_left = _pair(
        rows_left, [event for event in events_left if event.content not in told], tolerance
    )
    matching.differences = [
        *(Difference(row, event) for row, event in differing),
        *(Difference(row, None) for row in rows_left),
        *(Difference(None, event) for event in events_left),
        *(Difference(None, event, repeats=True) for event in repeats),
    ]
    matching.differences.sort(key=lambda difference: _in_order(difference.fact))
    return matching


def _in_order(fact: Fact) -> tuple[float, str]:
    return fact.time, fact.reference  # the servers give rows of one time in any order


def _pair(
    rows: list[Fact], events: list[Fact], tolerance: int
) -> tuple[list[tuple[Fact, Fact]], list[Fact], list[Fact]]:
    """Pairs in time, rows alone, events alone."""
    rows, events = (sorted(facts, key=_in_order) for facts in (rows, events))
    found = pairs([row.time for row in rows], [event.time for event in events], CLOCK_SLACK, tolerance)
    paired_rows, paired_events = {row for row, _ in found}, {event for _, event in found}
    return (
        [(rows[row], events[event]) for row, event in found],
        [row for index, row in enumerate(rows) if index not in paired_rows],
        [event for index, event in enumerate(events) if index not in paired_events],
    )
