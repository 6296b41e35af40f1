"""Sums over the exported columns that ClickHouse and PostgreSQL both compute, exactly.

Of every column its non-NULL values; of whole numbers their sum, of texts their characters, of times their distance
from 1970, of fractional numbers their thousandths. Then one sum of a hash of each row, over all of these but JSON:
values that were exchanged between two rows, or altered without a change of any sum, show there. The two servers write
JSON differently; of maps of whole numbers, which hold the ranks, every key with its value is hashed in one row of
`SAMPLED`, because to take all of them apart would take as long as the load.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stir.serving.declaration import Column, Form, Target, bare_type
from stir.serving.export import MAP_OF_WHOLE_NUMBERS, clean_text, exported_value

if TYPE_CHECKING:
    import psycopg2.extensions

WHOLE_NUMBERS = ("bigint", "integer")
SUMMED_BELOW = "1e12"
"""Both servers cut the thousandths of a smaller double alike; larger ones are counted only."""
LAST_SUMMED_DAY = "9999-12-31"
"""ClickHouse writes every later moment as one of this day. From it on they are counted only."""
SAMPLED = 16
"""One row of so many, by the hash of the row, is taken apart where that is expensive."""


@dataclass(frozen=True)
class Sum:
    """One sum: what it is of, and the expression of either server, which gives a text."""

    name: str
    clickhouse: str
    postgres: str


@dataclass(frozen=True)
class Measure:
    """What one value is told by: an expression of either server, whole numbers or texts; NULL where it has none."""

    name: str
    clickhouse: str
    postgres: str

    @property
    def total(self) -> Sum:
        """The sum of whole numbers."""
        return Sum(
            self.name,
            f"toString(ifNull(sum(toInt128({self.clickhouse})), toInt128(0)))",
            f"coalesce(sum({self.postgres}), 0)::text",
        )


def sums_of(columns: Iterable[Column]) -> list[Sum]:
    """Sums over some exported columns, in a fixed order."""
    columns = list(columns)
    found: list[Sum] = []
    told: list[Measure] = []
    for column in columns:
        found.append(_count(column))
        if measure := _measure(column):
            found.append(measure.total)
            told.append(measure)
        elif column.form is Form.TEXT:
            text = Measure(column.name, exported_value(column), column.name)
            found.append(
                Measure(f"characters {column.name}", f"lengthUTF8({text.clickhouse})", f"length({text.postgres})").total
            )
            told.append(text)
    row = _hash_of_row(told)
    return [*found, row.total, *(_entries(column, row).total for column in columns if _is_rank_map(column))]


def exported_sums(target: Target) -> str:
    """ClickHouse expression over the target's rows: an array of the sums over all exported columns."""
    return f"[{', '.join(each.clickhouse for each in sums_of(target.exported))}]"


def loaded_sums(cursor: psycopg2.extensions.cursor, target: Target, table: str) -> list[str]:
    """The same sums over a table that holds the rows as they were loaded."""
    cursor.execute(f"select {', '.join(each.postgres for each in sums_of(target.exported))} from {table}")
    return list(cursor.fetchone())


def _count(column: Column) -> Sum:
    # Whether a JSON is NULL can be told without writing it.
    bare = column.form is Form.JSON and column.absent is None
    value = column.source if bare else exported_value(column)
    name = column.name
    return Sum(f"non-null {name}", f"toString(countIf(isNotNull({value})))", f"count({name})::text")


def _measure(column: Column) -> Measure | None:
    """The whole number that a value is told by; None for texts, JSON and types that have none."""
    name, value = column.name, exported_value(column)
    if column.postgres in WHOLE_NUMBERS:
        return Measure(f"sum {name}", value, name)
    if column.postgres in ("timestamp", "timestamptz"):
        moment, last = f"toDateTime64({value}, 6, 'UTC')", f"'{LAST_SUMMED_DAY}'"
        return Measure(
            f"microseconds {name}",
            f"if({moment} < toDateTime64({last}, 6, 'UTC'), toUnixTimestamp64Micro({moment}), NULL)",
            f"(case when {name} < {last} then (extract(epoch from {name}) * 1000000)::bigint end)",
        )
    if column.postgres == "date":
        return Measure(f"days {name}", f"toInt32(toDate32({value}))", f"({name} - date '1970-01-01')")
    if column.form is Form.FLOAT and bare_type(column.clickhouse) == "Float64":
        small = f"abs({{}}) < {SUMMED_BELOW}"
        return Measure(
            f"thousandths {name}",
            f"if({small.format(value)}, toInt64(trunc(assumeNotNull({value}) * 1000)), NULL)",
            f"(case when {small.format(name)} then trunc({name} * 1000)::bigint end)",
        )
    return None


def _hash(clickhouse: str, postgres: str) -> tuple[str, str]:
    """Sixty bits of the MD5 of a text, as a whole number."""
    first = f"reinterpretAsUInt64(reverse(substring(MD5({clickhouse}), 1, 8)))"
    return f"bitShiftRight({first}, 4)", f"('x' || substr(md5({postgres}), 1, 15))::bit(60)::bigint"


def _hash_of_row(told: Sequence[Measure]) -> Measure:
    ours = [f"ifNull(concat('+', toString({each.clickhouse})), '-')" for each in told]
    theirs = [f"coalesce('+' || {each.postgres}, '-')" for each in told]
    text = ", '|', ".join(ours)
    return Measure("hash of rows", *_hash(f"concat({text}, '')", " || '|' || ".join(theirs)))


def _is_rank_map(column: Column) -> bool:
    return bool(MAP_OF_WHOLE_NUMBERS.fullmatch(column.clickhouse)) and not column.expression


def _entries(column: Column, row: Measure) -> Measure:
    """The hashes of all keys with their values, in the rows that are taken apart."""
    ours, theirs = _hash(f"concat({clean_text('key')}, ':', toString(value))", "key || ':' || value")
    chosen = f"{{}} % {SAMPLED} = 0"
    keys, values = (
        f"if({chosen.format(row.clickhouse)}, {part}({column.source}), [])" for part in ("mapKeys", "mapValues")
    )
    return Measure(
        f"keys and values {column.name}",
        f"arraySum((key, value) -> toInt128({ours}), {keys}, {values})",
        f"(case when {chosen.format(row.postgres)} then "
        f"(select sum({theirs}) from jsonb_each_text({column.name})) end)",
    )
