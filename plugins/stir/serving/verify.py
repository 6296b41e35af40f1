"""Comparing a mart in ClickHouse with the live table in PostgreSQL: rows, sums over every exported column, sampled
rows.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stir.serving.declaration import Column, Form, Target
from stir.serving.export import exported_value
from stir.serving.sums import Sum, sums_of

if TYPE_CHECKING:
    import psycopg2.extensions

PLAIN_JSON = "settings output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 0"
Query = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Comparison:
    """Both sides' figures by name, and the differences as sentences. `sampled` is how many rows were compared value by
    value.
    """

    rows: int
    sampled: int
    differences: list[str] = field(default_factory=list)


def compare(
    target: Target, query: Query, connection: psycopg2.extensions.connection, sample: int = 200, seed: int = 0
) -> Comparison:
    """Compare the mart (through `query`) with the live table. Another `seed` samples other rows.

    Sums: those of `stir.serving.sums`. Values that an enrichment may have changed are not compared. A target that
    leaves rows out has no sums: its sampled rows are compared where they are live, and it may not have more rows than
    the mart.
    """
    figures = [Sum("rows", "toString(count())", "count(*)::text")]
    figures += [] if target.keep else sums_of(_carried(target))
    mart = query(f"select {', '.join(figure.clickhouse for figure in figures)} from {target.relation}")[0]
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select {', '.join(figure.postgres for figure in figures)} from {target.name}")
        live = cursor.fetchone()
    differences = [
        f"{figure.name}: {theirs} in {target.mart}, {ours} in {target.name}"
        for figure, theirs, ours in zip(figures, mart, live, strict=True)
        if theirs != ours and not (target.keep and int(ours) <= int(theirs))
    ]
    sampled, unlike = _compare_sample(target, query, connection, sample, seed)
    return Comparison(int(live[0]), sampled, differences + unlike)


def _carried(target: Target) -> list[Column]:
    """Columns that arrive as they were exported."""
    return [column for column in target.exported if not column.overlaid]


def _compare_sample(
    target: Target, query: Query, connection: psycopg2.extensions.connection, size: int, seed: int
) -> tuple[int, list[str]]:
    """Rows chosen by a hash of seed and key in ClickHouse, value by value, JSON as what it means."""
    compared = _carried(target)
    values = ", ".join(f"{_comparable(column)} as c{number}" for number, column in enumerate(compared))
    key = [number for number, column in enumerate(compared) if column.name in target.key]
    order = f"sipHash64({', '.join([str(seed), *(f'c{number}' for number in key)])})"
    mart = {
        tuple(row[number] for number in key): row
        for row in query(f"select {values} from {target.relation} order by {order} limit {size} {PLAIN_JSON}")
    }
    names = ", ".join(_comparable_in_postgres(column) for column in compared)
    names_of_key = ", ".join(_comparable_in_postgres(compared[number]) for number in key)
    with connection, connection.cursor() as cursor:
        live = {}
        if mart:
            cursor.execute(f"select {names} from {target.name} where ({names_of_key}) in %s", (tuple(mart),))
            live = {tuple(row[number] for number in key): row for row in cursor.fetchall()}
    differences = []
    for identity, row in mart.items():
        other = live.get(identity)
        if other is None and target.keep:
            continue
        if other is None:
            differences.append(f"row {' / '.join(map(str, identity))} is missing in {target.name}")
            continue
        differences += [
            f"row {' / '.join(map(str, identity))}: {column.name} is {theirs!r} in the mart, {ours!r} in {target.name}"
            for column, theirs, ours in zip(compared, row, other, strict=True)
            if _meaning(column, theirs) != ours
        ]
    return len(mart.keys() & live.keys()), differences


def _meaning(column: Column, value: Any) -> Any:
    return json.loads(value) if column.form is Form.JSON and value is not None else value


def _comparable(column: Column) -> str:
    if column.postgres in ("timestamp", "timestamptz"):
        return f"toString(toDateTime64({exported_value(column)}, 6, 'UTC'))"
    return f"toString({exported_value(column)})" if column.postgres == "date" else exported_value(column)


def _comparable_in_postgres(column: Column) -> str:
    if column.postgres in ("timestamp", "timestamptz"):
        return f"to_char({column.name}, 'YYYY-MM-DD HH24:MI:SS.US')"
    return f"{column.name}::text" if column.postgres == "date" else column.name
