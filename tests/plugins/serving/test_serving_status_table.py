"""The table of `status`: whole names and numbers in a narrow terminal, more columns in a wide one."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from stir.serving.ledger import LedgerEntry, Refusal
from stir.serving.naming import ENVIRONMENTS
from stir.serving.status import Standing, print_standings
from stir.serving.targets import TARGETS

pytestmark = pytest.mark.unit

MOMENT = datetime(2026, 3, 3, 10, tzinfo=UTC)


def shown(width: int) -> list[str]:
    built = MOMENT - timedelta(days=2, hours=1, minutes=2, seconds=3)
    found = [
        Standing(
            target,
            LedgerEntry(
                target=name,
                environment="prod",
                action="publish",
                dag_id=f"sync_{name}_prod",
                run_id="r",
                rows=123_456_789,
                mart_built_at=built,
                newest_event_at=built,
                published_at=built,
            ),
            Refusal("verify", f"of {name}", MOMENT),
            MOMENT,
        )
        for name, target in TARGETS.items()
    ]
    console = Console(file=io.StringIO(), width=width)
    print_standings(console, ENVIRONMENTS["prod"], found)
    return console.file.getvalue().splitlines()


def test_eighty_columns_hold_every_verdict_number_and_age_in_one_line() -> None:
    _, heading, *lines = shown(80)
    assert heading.split() == ["table", "now", "rows", "mart", "is", "old"]
    rows, refusals = lines[: len(TARGETS)], lines[len(TARGETS) :]
    assert all(len(row) <= 80 for row in rows)
    for row, refusal, name in zip(rows, refusals, TARGETS, strict=True):
        assert row.startswith(f"{name} ")
        assert row.endswith(" 123,456,789 2 days, 1:02:03")
        assert refusal == f"{name} refused since: 2026-03-03 10:00:00 verify: of {name}"


def test_a_wide_terminal_shows_the_times_too() -> None:
    _, heading, first, *_ = shown(220)
    assert heading.split()[-6:] == ["newest", "event", "published", "mart", "built", "by"]
    assert first.split()[-1] == f"sync_{next(iter(TARGETS))}_prod"
