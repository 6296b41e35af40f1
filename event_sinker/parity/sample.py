"""A sample of entities, fact by fact. The same seed draws the same entities from the same data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from event_sinker.parity.clickhouse import ClickHouseEvents
from event_sinker.parity.facts import Entity, Fact, Window
from event_sinker.parity.match import Difference, match
from event_sinker.parity.postgres import PostgresLog

_ENTITIES_AT_ONCE = 500  # whose facts lie in memory together
# Facts this long before and after the window are matched too, so that those of its edges find their own partners.
_MARGIN_SECONDS = 3_600


@dataclass
class Sample:
    """What the sample showed."""

    entities: int = 0
    rows: int = 0  # of the log, within the window
    matched: int = 0  # of these rows, with an event of the same content in time
    differences: list[Difference] = field(default_factory=list)

    @property
    def kinds(self) -> Counter[str]:
        return Counter(difference.kind for difference in self.differences)


def draw(log: PostgresLog, events: ClickHouseEvents, window: Window, seed: str, number: int) -> list[Entity]:
    """The first entities of both sides together, in the order of a hash.

    Each side names its own first ones: what only one side has can be drawn as well.
    """
    drawn = sorted({*log.draw(window, seed, number), *events.draw(window, seed, number)})
    return [entity for _, entity in drawn[:number]]


def compare_sample(
    log: PostgresLog,
    events: ClickHouseEvents,
    window: Window,
    entities: Sequence[Entity],
    tolerance: int,
    compared: Callable[[int], None],
) -> Sample:
    """Match all facts of the entities; `compared` is told after each step how many more entities are done."""
    sample = Sample(entities=len(entities))
    wide = window.widened(_MARGIN_SECONDS + 2 * tolerance)
    for start in range(0, len(entities), _ENTITIES_AT_ONCE):
        some = entities[start : start + _ENTITIES_AT_ONCE]
        rows = _by_entity(log.facts(wide, some))
        published = _by_entity(events.facts(wide, some))
        for entity in some:
            matching = match(rows[entity], published[entity], tolerance)
            sample.rows += sum(row.time in window for row in rows[entity])
            sample.matched += sum(row.time in window for row in matching.matched)
            sample.differences += [one for one in matching.differences if one.fact.time in window]
        compared(len(some))
    return sample


def _by_entity(facts: Iterable[Fact]) -> dict[Entity, list[Fact]]:
    grouped: dict[Entity, list[Fact]] = defaultdict(list)
    for fact in facts:
        grouped[fact.entity].append(fact)
    return grouped
