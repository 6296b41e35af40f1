"""Sums over the exported columns that ClickHouse and PostgreSQL both compute, exactly: of every column its non-NULL
values, of whole numbers their sum, of texts their characters, of times their distance from 1970, of fractional numbers
their thousandths. What a JSON holds is not summed: the two servers write it differently.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stir.serving.declaration import Column, Form, Target, bare_type
from stir.serving.export import exported_value

if TYPE_CHECKING:
    import psycopg2.extensions

WHOLE_NUMBERS = ("bigint", "integer")
SUMMED_BELOW = "1e12"
"""Both servers cut the thousandths of a smaller double alike; larger ones are counted only."""
LAST_SUMMED_DAY = "9999-12-31"
"""ClickHouse writes every later moment as one of this day. From it on they are counted only."""


@dataclass(frozen=True)
class Sum:
    """One sum: what it is of, and the expression of either server, which gives a text."""

    name: str
    clickhouse: str
    postgres: str


def sums_of(columns: Iterable[Column]) -> list[Sum]:
    """Sums over some exported columns, in a fixed order."""
    return [each for column in columns for each in _sums(column)]


def exported_sums(target: Target) -> str:
    """ClickHouse expression over the target's rows: an array of the sums over all exported columns."""
    return f"[{', '.join(each.clickhouse for each in sums_of(target.exported))}]"


def loaded_sums(cursor: psycopg2.extensions.cursor, target: Target, table: str) -> list[str]:
    """The same sums over a table that holds the rows as they were loaded."""
    cursor.execute(f"select {', '.join(each.postgres for each in sums_of(target.exported))} from {table}")
    return list(cursor.fetchone())


def _sums(column: Column) -> list[Sum]:
    name = column.name
    # Whether a JSON is NULL can be told without writing it.
    bare = column.form is Form.JSON and column.absent is None
    value = column.source if bare else exported_value(column)
    found = [Sum(f"non-null {name}", f"toString(countIf(isNotNull({value})))", f"count({name})::text")]
    if column.postgres in WHOLE_NUMBERS:
        total = f"ifNull(sum(toInt128({value})), toInt128(0))"
        found.append(Sum(f"sum {name}", f"toString({total})", f"coalesce(sum({name}), 0)::text"))
    elif column.postgres in ("timestamp", "timestamptz"):
        moment, last = f"toDateTime64({value}, 6, 'UTC')", f"'{LAST_SUMMED_DAY}'"
        micros = f"sumIf(toInt128(toUnixTimestamp64Micro({moment})), {moment} < toDateTime64({last}, 6, 'UTC'))"
        total = f"ifNull({micros}, toInt128(0))"
        micros = f"coalesce(sum((extract(epoch from {name}) * 1000000)::bigint) filter (where {name} < {last}), 0)"
        found.append(Sum(f"microseconds {name}", f"toString({total})", f"{micros}::text"))
    elif column.postgres == "date":
        total = f"ifNull(sum(toInt128(toInt32(toDate32({value})))), toInt128(0))"
        found.append(Sum(f"days {name}", f"toString({total})", f"coalesce(sum({name} - date '1970-01-01'), 0)::text"))
    elif column.form is Form.FLOAT and bare_type(column.clickhouse) == "Float64":
        small = f"abs({{}}) < {SUMMED_BELOW}"
        total = f"sum(toInt128(if({small.format(value)}, trunc({value} * 1000), 0)))"
        whole = f"sum(case when {small.format(name)} then trunc({name} * 1000)::bigint else 0 end)"
        found.append(
            Sum(f"thousandths {name}", f"toString(ifNull({total}, toInt128(0)))", f"coalesce({whole}, 0)::text")
        )
    elif column.form is Form.TEXT:
        characters = f"ifNull(sum(lengthUTF8({value})), 0)"
        found.append(Sum(f"characters {name}", f"toString({characters})", f"coalesce(sum(length({name})), 0)::text"))
    return found
