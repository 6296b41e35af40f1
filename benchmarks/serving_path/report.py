"""What is printed: medians over the rounds, with the lowest and the highest, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.event_store.report import print_table
from benchmarks.serving_path.measurement import Measurement, Rounds
from benchmarks.serving_path.readers import describe
from benchmarks.serving_path.worker import STEPS

CARRYING = ("export", "manifest", "fetch", "load")
AFTER = ("enrich", "index", "swap", "vacuum")
"""What every way has to do once the rows are loaded."""


def print_report(measured: Measurement) -> None:
    _print_steps(measured)
    _print_ways(measured)
    _print_loads(measured)
    _print_readers(measured)
    _print_core(measured)


def _print_steps(measured: Measurement) -> None:
    print(f"\nThe path, step by step. A process that has only read the DAG: {measured.idle_mb:.0f} MB")
    rows = [
        (step, _spread(_seconds(measured.steps, step)), *(f"{_peak(rounds, step):.0f}" for rounds in _sizes(measured)))
        for step in STEPS
    ]
    rows.append(("all", _spread(_sum(measured.steps, STEPS)), "", ""))
    print_table(f"step|seconds|peak MB, few rows|peak MB, {measured.rows:,} rows", rows)
    taken = measured.manifest
    print(f"\nObject {taken['bytes'] / 1e6:.0f} MB, unpacked {taken['text_bytes'] / 1e6:.0f} MB")


def _print_ways(measured: Measurement) -> None:
    after = _sum(measured.steps, AFTER)
    path = _sum(measured.steps, [step for step in STEPS if step != "freshness"])
    carried = {
        "path": _sum(measured.steps, CARRYING),
        "replaced": _sum(measured.ways, ("replaced export", "replaced fetch", "replaced load")),
        "function": _seconds(measured.ways, "function"),
        "worker": _seconds(measured.ways, "worker"),
    }
    rows = []
    for way, seconds in carried.items():
        whole = path if way == "path" else [own + rest for own, rest in zip(seconds, after, strict=True)]
        peak = max(_peak(measured.steps, step) for step in STEPS) if way == "path" else 0
        if way in measured.ways:
            peak = _peak(measured.ways, way)
        rows.append((way, _spread(seconds), _spread(whole), _ratio(whole, path), f"{peak:.0f}" if peak else ""))
    print_table("way|mart to loaded rows, s|whole, s|whole / path's|peak MB of its process", rows)


def _print_loads(measured: Measurement) -> None:
    loads = {"load": _seconds(measured.steps, "load")} | {
        name: _seconds(measured.ways, name)
        for name in ("load in one session", "replaced load", "JSON lines load", "bare COPY")
    }
    rows = [
        (name, f"{measured.megabytes[name]:,.0f}", _spread(seconds), _ratio(seconds, loads["load"]))
        for name, seconds in loads.items()
    ]
    print_table("load step|MB|seconds|its time / load's", rows)


def _print_readers(measured: Measurement) -> None:
    reading = measured.reading
    if reading is None:
        return
    rows = [
        ("readers, no swap", *describe(reading.quiet)),
        ("readers, a swap every third of a second", *describe(reading.swapping)),
        ("of these, under way during a swap", *describe(reading.overlapping)),
        (f"swaps, lock asked for until commit ({reading.attempts} attempts)", *describe(reading.locks)),
    ]
    print_table("what|number|median, ms|99th percentile, ms|highest, ms", rows)


def _print_core(measured: Measurement) -> None:
    rows = [(step, _spread(_seconds(measured.core, step)), f"{_peak(measured.core, step):.0f}") for step in STEPS]
    to_swap = STEPS[: STEPS.index("swap") + 1]
    rows.append((f"{to_swap[0]} to swap", _spread(_sum(measured.core, to_swap)), ""))
    print_table(f"core metrics, {measured.profiles:,} profiles|seconds|peak MB", rows)


def _sizes(measured: Measurement) -> tuple[Rounds, Rounds]:
    return measured.small, measured.steps


def _seconds(rounds: Rounds, name: str) -> list[float]:
    return [work.seconds for work in rounds[name]]


def _sum(rounds: Rounds, names: Sequence[str]) -> list[float]:
    """Seconds of several steps together, round by round."""
    return [sum(each) for each in zip(*(_seconds(rounds, name) for name in names), strict=True)]


def _peak(rounds: Rounds, name: str) -> float:
    return max(work.peak_mb for work in rounds[name])


def _spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} ({min(seconds):.2f} - {max(seconds):.2f})"


def _ratio(seconds: Sequence[float], base: Sequence[float]) -> str:
    return f"{median(seconds) / median(base):.2f}"
