"""Days and platforms side by side: how many rows and entities, and whether midnight explains a difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from event_sinker.parity.facts import SECONDS_PER_DAY, Tally, Window


class Verdict(StrEnum):
    """What the counts of a day say."""

    EQUAL = "equal"
    SHIFTED = "shifted over midnight"
    MISSING = "missing in ClickHouse"
    EXTRA = "only in ClickHouse"
    BOTH = "missing and only in ClickHouse"  # a day on which one platform has too few and another one too many


@dataclass(frozen=True)
class DayCount:
    """One day of one platform, or of all when `platform` is None."""

    day: date
    platform: str | None
    logged: Tally
    published: Tally
    shifted_in: int  # logged the day before, published on this day
    shifted_out: int  # logged on this day, published on the next
    missing: int  # rows without an event, by their number
    extra: int  # events without a row, by their number
    verdict: Verdict

    @property
    def difference(self) -> int:
        """Events less rows."""
        return self.published.rows - self.logged.rows

    @property
    def percent(self) -> float | None:
        """The difference as a share of the log's rows; None when the log has none."""
        return 100 * self.difference / self.logged.rows if self.logged.rows else None

    @property
    def same(self) -> bool:
        return self.verdict in {Verdict.EQUAL, Verdict.SHIFTED}


@dataclass(frozen=True)
class Day:
    """One day: in all, and by platform."""

    total: DayCount
    platforms: list[DayCount]


def compare_days(
    window: Window,
    logged: Mapping[tuple[date, str], Tally],
    published: Mapping[tuple[date, str], Tally],
    shifts: Mapping[tuple[int, str], int],
) -> list[Day]:
    """Every day of the window. `shifts` counts facts that crossed a midnight, see `shifts_over_midnight`.

    What leaves a day over midnight must arrive on the next one: only then is a difference explained.
    """
    platforms = sorted({platform for _, platform in (*logged, *published)})
    days = []
    for number, day in enumerate(window.days):
        midnight = window.start + number * SECONDS_PER_DAY
        counts = [
            _platform_count(
                day,
                platform,
                logged.get((day, platform), Tally()),
                published.get((day, platform), Tally()),
                shifts.get((midnight, platform), 0),
                shifts.get((midnight + SECONDS_PER_DAY, platform), 0),
            )
            for platform in platforms
        ]
        days.append(Day(_total(day, counts), counts))
    return days


def _platform_count(
    day: date, platform: str, logged: Tally, published: Tally, shifted_in: int, shifted_out: int
) -> DayCount:
    unexplained = published.rows - logged.rows - shifted_in + shifted_out
    if unexplained:
        verdict = Verdict.MISSING if unexplained < 0 else Verdict.EXTRA
    # As many rows, but of other entities, say with a damaged id. Each shifted fact may bring or take one.
    elif published.entities < logged.entities - shifted_out:
        verdict = Verdict.MISSING
    elif published.entities > logged.entities + shifted_in:
        verdict = Verdict.EXTRA
    else:
        verdict = Verdict.EQUAL if published == logged else Verdict.SHIFTED
    return DayCount(
        day,
        platform,
        logged,
        published,
        shifted_in,
        shifted_out,
        missing=max(0, -unexplained),
        extra=max(0, unexplained),
        verdict=verdict,
    )


def _total(day: date, counts: list[DayCount]) -> DayCount:
    verdicts = {count.verdict for count in counts}
    if verdicts >= {Verdict.MISSING, Verdict.EXTRA}:
        verdict = Verdict.BOTH
    else:
        verdict = next(
            (one for one in (Verdict.MISSING, Verdict.EXTRA, Verdict.SHIFTED) if one in verdicts), Verdict.EQUAL
        )
    return DayCount(
        day,
        None,
        Tally(sum(count.logged.rows for count in counts), sum(count.logged.entities for count in counts)),
        Tally(sum(count.published.rows for count in counts), sum(count.published.entities for count in counts)),
        shifted_in=sum(count.shifted_in for count in counts),
        shifted_out=sum(count.shifted_out for count in counts),
        missing=sum(count.missing for count in counts),
        extra=sum(count.extra for count in counts),
        verdict=verdict,
    )
