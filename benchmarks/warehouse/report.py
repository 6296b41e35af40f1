"""The tables that are printed."""

from __future__ import annotations

from statistics import median

from rich.table import Table

from benchmarks.warehouse.measured import Build, exponent
from benchmarks.warehouse.tiers import PERIOD_MINUTES

MEGABYTE = 1e6


def tiers(size: str, build: Build) -> Table:
    """Seconds of each tier, first and later, beside a third of its period."""
    table = table_of(
        f"tiers, {size} world",
        "tier",
        "models",
        "first s",
        "later s, median",
        "spread s",
        "dbt's own",
        "a third of its period s",
    )
    for tier, first in build.first.items():
        runs = build.later.get(tier, [])
        seconds = [run.seconds for run in runs]
        table.add_row(
            tier,
            str(len({query.model for query in first.queries if query.model})),
            f"{first.seconds:.1f}",
            f"{median(seconds):.1f}" if runs else "",
            f"{min(seconds):.1f} - {max(seconds):.1f}" if runs else "",
            f"{median(run.dbt_share for run in runs or [first]):.0%}",
            f"{PERIOD_MINUTES[tier] * 60 / 3:.0f}",
        )
    return table


def models(size: str, build: Build, slowest: int) -> Table:
    """The slowest models of the first build, and every model's largest memory in one line below."""
    costs, later = build.first_costs(), build.later_costs()
    table = table_of(
        f"slowest models, {size} world", "model", "tier", "first s", "later s", "peak MB", "rows read", "rows written"
    )
    for cost in sorted(costs.values(), key=lambda cost: -cost.seconds)[:slowest]:
        again = later.get(cost.name)
        table.add_row(
            cost.name, cost.tier, f"{cost.seconds:.2f}", f"{again.seconds:.2f}" if again else "",
            f"{cost.memory / MEGABYTE:.0f}", f"{cost.read_rows:,}", f"{cost.written_rows:,}",
        )  # fmt: skip
    thirstiest = max(costs.values(), key=lambda cost: cost.memory)
    table.caption = (
        f"{len(costs)} models in {sum(cost.seconds for cost in costs.values()):.1f} s of statements; "
        f"largest memory of one statement: {thirstiest.memory / MEGABYTE:.0f} MB ({thirstiest.name})"
    )
    return table


def growth(smaller: tuple[str, Build], larger: tuple[str, Build]) -> Table:
    """Exponents of the first build, steepest first; 1 is linear, n log n from 200,000 to 10 million rows 1.07."""
    (small_name, small), (large_name, large) = smaller, larger
    before, after = small.first_costs(), large.first_costs()
    title = f"growth, {small_name} to {large_name}"
    table = table_of(title, "model", "CPU seconds", "rows read", "rows written", "exponent")
    found = [
        (power, name)
        for name in before.keys() & after.keys()
        if (power := exponent(before[name], after[name])) is not None
    ]
    for power, name in sorted(found, reverse=True)[:15]:
        table.add_row(
            name,
            f"{before[name].cpu_seconds:.2f} -> {after[name].cpu_seconds:.2f}",
            f"{before[name].read_rows:,} -> {after[name].read_rows:,}",
            f"{before[name].written_rows:,} -> {after[name].written_rows:,}",
            f"{power:.2f}",
        )
    return table


def table_of(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column == "tier" else "right")
    return table
