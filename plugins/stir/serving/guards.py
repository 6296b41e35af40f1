"""Checks between the load and the swap. Each refusal says which guard failed and by how much; the live table is not
touched.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stir.serving.catalog import column_types, relation_exists, swap_blockers
from stir.serving.declaration import Target
from stir.serving.manifest import Manifest, PublishRefused
from stir.serving.naming import RunNames
from stir.serving.sums import loaded_sums, sums_of

if TYPE_CHECKING:
    import psycopg2.extensions

TYPE_IN_CATALOG = {
    "bigserial": "bigint",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}


def check(connection: psycopg2.extensions.connection, names: RunNames, taken: Manifest) -> dict[str, Any]:
    """Run every guard on the working table.

    Returns what was measured, for the ledger. Raises PublishRefused listing all guards that failed.
    """
    target = names.target
    with connection, connection.cursor() as cursor:
        if not relation_exists(cursor, names.working_table):
            raise PublishRefused(
                f"working table {names.working_table} does not exist: the load of this run did not finish"
            )
        refuse_live_drift(cursor, target)
        rows = count(cursor, names.working_table)
        staged_rows = count(cursor, names.staged_table) if target.keep else rows
        loaded = loaded_sums(cursor, target, names.staged_table if target.enrichments else names.working_table)
        live_rows = count(cursor, target.name)
        nulls = key_nulls(cursor, target, names.working_table)
        duplicates = key_duplicates(cursor, target, names.working_table)
        blockers = swap_blockers(cursor, target.name)
    problems = []
    if staged_rows != taken.rows:
        table = "staged" if target.keep else "working"
        problems.append(
            f"rows: {staged_rows:,} in the {table} table, {taken.rows:,} in the manifest "
            f"({staged_rows - taken.rows:+,})"
        )
    elif len(taken.sums) == len(loaded):  # an earlier version summed less; with other rows, most sums differ
        problems += sum_problems(target, taken.sums, loaded)
    problems += size_problems(target, rows, live_rows)
    if nulls:
        problems.append(f"key not null: {nulls:,} rows have a NULL in ({', '.join(target.key)})")
    if duplicates[0]:
        problems.append(
            f"key unique: {duplicates[0]:,} rows too many in ({', '.join(target.key)}), for example {duplicates[1]}"
        )
    problems += [f"in the way: {blocker}" for blocker in blockers]
    refuse(target, problems)
    measured = {"rows": rows, "live_rows": live_rows, "share": rows / live_rows if live_rows else None}
    return measured | ({"left_out": staged_rows - rows} if target.keep else {})


def refuse(target: Target, problems: list[str]) -> None:
    """Raise PublishRefused with all problems, if there are any."""
    if problems:
        raise PublishRefused(f"{target.name} stays as it is. " + "; ".join(problems))


def sum_problems(target: Target, exported: Sequence[str], loaded: Sequence[str]) -> list[str]:
    """One sentence if the loaded values do not add up to the exported ones: the file was altered after it was checked,
    or a value was read otherwise than it was written.
    """
    wrong = [
        f"{each.name} is {ours}, exported {theirs}"
        for each, theirs, ours in zip(sums_of(target.exported), exported, loaded, strict=True)
        if theirs != ours
    ]
    return [f"sums of the loaded data: {'; '.join(wrong)}"] if wrong else []


def size_problems(target: Target, rows: int, live_rows: int) -> list[str]:
    """Minimum and share guards. The share guard is off while the live table is empty (first load)."""
    problems = []
    if rows < target.guards.minimum_rows:
        problems.append(f"minimum: {rows:,} rows, at least {target.guards.minimum_rows:,} required")
    if live_rows and rows < live_rows * target.guards.minimum_share:
        problems.append(
            f"share of live: {rows:,} of {live_rows:,} rows are {rows / live_rows:.1%}, "
            f"at least {target.guards.minimum_share:.0%} required"
        )
    return problems


def count(cursor: psycopg2.extensions.cursor, table: str) -> int:
    """Rows of one table."""
    cursor.execute(f"select count(*) from {table}")
    return int(cursor.fetchone()[0])


def key_nulls(cursor: psycopg2.extensions.cursor, target: Target, table: str) -> int:
    """Rows with a NULL in the key."""
    condition = " or ".join(f"{name} is null" for name in target.key)
    cursor.execute(f"select count(*) from {table} where {condition}")
    return int(cursor.fetchone()[0])


def key_duplicates(cursor: psycopg2.extensions.cursor, target: Target, table: str) -> tuple[int, str]:
    """Rows beyond the first of each key, and one such key as text."""
    key = ", ".join(target.key)
    cursor.execute(
        f"select coalesce(sum(copies - 1), 0), min(example) from "
        f"(select count(*) as copies, concat_ws(' / ', {key}) as example from {table} "
        f"group by {key} having count(*) > 1) as repeated"
    )
    extra, example = cursor.fetchone()
    return int(extra), example or ""


def refuse_live_drift(cursor: psycopg2.extensions.cursor, target: Target) -> None:
    """Compare the live table's columns with the declaration. Raises PublishRefused naming each difference."""
    live = column_types(cursor, target.name)
    if not live:
        raise PublishRefused(
            f"serving table {target.name} does not exist: run `python -m schema apply` on this database"
        )
    declared = {column.name: TYPE_IN_CATALOG.get(column.postgres, column.postgres) for column in target.columns}
    wrong = [
        f"{name} is {live.get(name, 'missing')}, declared {kind}"
        for name, kind in declared.items()
        if live.get(name) != kind
    ]
    wrong += [f"{name} ({kind}) is not declared" for name, kind in live.items() if name not in declared]
    if wrong:
        raise PublishRefused(
            f"serving table {target.name} drifted from its declaration: {'; '.join(wrong)}. Alter the table, or "
            f"plugins/stir/serving/targets/{target.name}.py"
        )
