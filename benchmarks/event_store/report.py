"""What is printed: progress on stderr, tables in Markdown on stdout."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.event_store.cost import Cost

INDEXES = "of this keys and indexes, MB"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def print_costs(costs: dict[str, Cost]) -> None:
    rows = []
    for name, cost in costs.items():
        count, rates = sum(cost.rows), np.divide(cost.rows, cost.seconds)
        spread = "{:,.0f} - {:,.0f}".format(*np.percentile(rates, [10, 90]))
        rows.append((name, f"{count:,}", f"{count / sum(cost.seconds):,.0f}", spread, f"{cost.cpu / count * 1e6:,.1f}"))
    print_table("written by|events|events/s|its 10th - 90th percentile|server's CPU s per million events", rows)


def print_figures(figures: dict[str, dict[str, list[float]]]) -> None:
    """Medians with the lowest and the highest, and how many times ClickHouse's figure PostgreSQL's is."""
    rows = []
    for label, by_store in figures.items():
        middles = [statistics.median(values) for values in by_store.values()]
        spreads = [f" ({min(v):,.1f} - {max(v):,.1f})" if len(v) > 1 else "" for v in by_store.values()]
        cells = [f"{middle:,.1f}{spread}" for middle, spread in zip(middles, spreads, strict=True)]
        ratios = [f"{middle / middles[0]:.2f}" for middle in middles[1:]]
        rows.append((label, *cells, *(ratios if label != INDEXES else ("", ""))))
    print_table("median (lowest - highest)|clickhouse|postgres a|postgres b|a / clickhouse|b / clickhouse", rows)


def print_table(names: str, rows: Sequence[Sequence[object]]) -> None:
    print(f"\n| {names.replace('|', ' | ')} |\n|{'---|' * (names.count('|') + 1)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
