"""The outcome of a comparison: tables for a person, one JSON object for a program. It holds no value of a fact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from event_sinker.parity.days import Day, DayCount, Verdict
from event_sinker.parity.facts import Fact, LogTable
from event_sinker.parity.match import Difference
from event_sinker.parity.sample import Sample

_NAMED_KEYS = 8  # per difference in the table; the JSON has all
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Report:
    """Everything that was compared."""

    event_type: str
    table: LogTable
    log: str  # where the rows are: server, database, table
    events: str  # the same for the events
    since: date
    until: date
    tolerance: int
    seed: str
    provisional: bool  # events of the last minutes may not be stored yet
    days: list[Day]
    sample: Sample

    @property
    def equal(self) -> bool:
        return all(day.total.same for day in self.days) and not self.sample.differences

    @property
    def verdict(self) -> str:
        """One line."""
        entities = _counted(self.sample.entities, "sampled entity", "sampled entities")
        if self.equal:
            rows = _counted(sum(day.total.logged.rows for day in self.days), "row", "rows")
            facts = _counted(self.sample.matched, "fact", "facts")
            days = _counted(len(self.days), "day", "days")
            return f"EQUAL: {self.event_type}, {days} with {rows}; {entities} with {facts}"
        differing = sum(not day.total.same for day in self.days)
        return (
            f"DIFFERENT: {self.event_type}, {differing:,} of {_counted(len(self.days), 'day', 'days')}; "
            f"{entities} with {_counted(len(self.sample.differences), 'difference', 'differences')}"
        )

    def as_dict(self, most: int) -> dict[str, Any]:
        """The report as JSON values, with the first `most` differences of the sample."""
        return {
            "equal": self.equal,
            "verdict": self.verdict,
            "provisional": self.provisional,
            "event_type": self.event_type,
            "postgres": self.log,
            "clickhouse": self.events,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "tolerance_seconds": self.tolerance,
            "days": [
                _count(day.total) | {"platforms": {str(one.platform): _count(one) for one in day.platforms}}
                for day in self.days
            ],
            "sample": {
                "seed": self.seed,
                "entities": self.sample.entities,
                "postgres_rows": self.sample.rows,
                "matched": self.sample.matched,
                "kinds": dict(self.sample.kinds),
                "differences": [self._difference(one) for one in self.sample.differences[:most]],
            },
        }

    def _difference(self, difference: Difference) -> dict[str, Any]:
        return {
            "kind": difference.kind,
            "entity": dict(zip(self.table.entity, difference.fact.entity, strict=True)),
            "postgres_id": difference.row and difference.row.reference,
            "scraped_at": difference.row and _time(difference.row),
            "event_id": difference.event and difference.event.reference,
            "published_at": difference.event and _time(difference.event),
            "keys": difference.keys,
            "repeats_a_matched_event": difference.repeats,
        }

    def print(self, console: Console, most: int) -> None:
        """Tables of the days and of the first `most` differences, then the verdict."""
        console.print(self._day_table())
        if self.sample.differences and most:
            console.print(self._difference_table(most))
            hidden = len(self.sample.differences) - most
            if hidden > 0:
                console.print(f"{_counted(hidden, 'more difference', 'more differences')}: raise --max-differences")
        if self.provisional:
            console.print("Provisional: the last events may not be stored yet, so repeat this in some minutes.")
        console.print(Text(self.verdict, style="bold green" if self.equal else "bold red"))

    def _day_table(self) -> Table:
        table = Table(title=Text(f"{self.event_type}: rows of {self.log}\nand events of {self.events}, UTC days"))
        table.add_column("day", no_wrap=True)
        table.add_column("platform")
        for name in ("rows", "events", "difference", "%", "entities of rows", "entities of events"):
            table.add_column(name, justify="right")
        table.add_column("verdict")
        for day in self.days:
            counts = day.platforms if len(day.platforms) == 1 else [day.total, *day.platforms]
            for index, count in enumerate(counts):
                table.add_row(
                    "" if index else count.day.isoformat(),
                    Text("all" if count.platform is None else count.platform),
                    *_numbers(count),
                    Text(_explained(count), style="" if count.same else "red"),
                )
        return table

    def _difference_table(self, most: int) -> Table:
        entities = _counted(self.sample.entities, "sampled entity", "sampled entities")
        table = Table(title=Text(f"differences of {entities} (seed {self.seed!r})"))
        for name in (
            *("difference", "/".join(self.table.entity), "scraped at", "published at"),
            *("row id, event id", "where"),
        ):
            table.add_column(name, overflow="fold")  # an id that is cut short finds nothing
        for difference in self.sample.differences[:most]:
            row, event = difference.row, difference.event
            where = "repeats a matched event" if difference.repeats else _named(difference.keys)
            table.add_row(
                difference.kind,
                Text("/".join(map(_short, difference.fact.entity))),
                _time(row) if row else "-",
                _time(event) if event else "-",
                Text("\n".join(fact.reference for fact in (row, event) if fact)),
                Text(where),
            )
        return table


def _count(count: DayCount) -> dict[str, Any]:
    return {
        "day": count.day.isoformat(),
        "verdict": count.verdict.value,
        "postgres_rows": count.logged.rows,
        "clickhouse_rows": count.published.rows,
        "difference": count.difference,
        "percent": count.percent,
        "postgres_entities": count.logged.entities,
        "clickhouse_entities": count.published.entities,
        "shifted_in": count.shifted_in,
        "shifted_out": count.shifted_out,
        "missing_in_clickhouse": count.missing,
        "only_in_clickhouse": count.extra,
    }


def _numbers(count: DayCount) -> Iterator[str]:
    yield f"{count.logged.rows:,}"
    yield f"{count.published.rows:,}"
    yield f"{count.difference:+,}" if count.difference else "0"
    yield "-" if count.percent is None else f"{count.percent:+.2f}" if count.difference else "0"
    yield f"{count.logged.entities:,}"
    yield f"{count.published.entities:,}"


def _explained(count: DayCount) -> str:
    details = []
    if count.missing or count.extra:
        details.append(" and ".join(f"{rows:,}" for rows in (count.missing, count.extra) if rows))
    elif not count.same:
        details.append("other entities")
    if count.verdict is not Verdict.EQUAL:
        details += [f"{count.shifted_in:,} from the day before"] if count.shifted_in else []
        details += [f"{count.shifted_out:,} into the next day"] if count.shifted_out else []
    return f"{count.verdict}: {', '.join(details)}" if details else str(count.verdict)


def _named(keys: list[str]) -> str:
    rest = len(keys) - _NAMED_KEYS
    return ", ".join(map(_short, keys[:_NAMED_KEYS])) + (f" and {rest} more" if rest > 0 else "")


def _short(name: str) -> str:
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _time(fact: Fact) -> str:
    return datetime.fromtimestamp(fact.time, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
