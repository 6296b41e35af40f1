"""The ledger: one row per generation that went live (table `serving_ledger` of the serving database), and beside it
one per run that was refused (`serving_refusals`).
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg2.extensions

PUBLISH = "publish"
ROLLBACK = "rollback"

_COLUMNS = (
    "id, target, environment, action, dag_id, run_id, published_at, table_oid, previous_oid, mart_built_at, "
    "mart_build, newest_event_at, rows, bytes, checksum, object_key, cleaned_values, guards, seconds, hops"
)


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row. `seconds` is per step, `guards` what the guards measured, `hops` the rows and bytes at each: of the
    `object` (and its bytes unpacked: `text_bytes`), `staged`, and of the `table` with its indexes. Times are aware, in
    UTC.
    """

    target: str
    environment: str
    action: str
    dag_id: str
    run_id: str
    table_oid: int = 0
    previous_oid: int | None = None
    mart_built_at: datetime | None = None
    mart_build: str | None = None
    newest_event_at: datetime | None = None
    rows: int = 0
    bytes: int | None = None
    checksum: str | None = None
    object_key: str | None = None
    cleaned_values: int | None = None
    guards: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    hops: dict[str, dict[str, int]] | None = None
    id: int = 0
    published_at: datetime | None = None


def insert(cursor: psycopg2.extensions.cursor, entry: LedgerEntry) -> None:
    """Add one row in the caller's transaction."""
    cursor.execute(
        """
        insert into serving_ledger (target, environment, action, dag_id, run_id, table_oid, previous_oid, mart_built_at,
            mart_build, newest_event_at, rows, bytes, checksum, object_key, cleaned_values, guards, seconds,
            hops)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            entry.target,
            entry.environment,
            entry.action,
            entry.dag_id,
            entry.run_id,
            entry.table_oid,
            entry.previous_oid,
            entry.mart_built_at,
            entry.mart_build,
            entry.newest_event_at,
            entry.rows,
            entry.bytes,
            entry.checksum,
            entry.object_key,
            entry.cleaned_values,
            json.dumps(entry.guards),
            json.dumps(entry.seconds),
            json.dumps(entry.hops) if entry.hops else None,
        ),
    )


def add_seconds(
    cursor: psycopg2.extensions.cursor, target: str, dag_id: str, run_id: str, seconds: dict[str, float]
) -> None:
    """Merge durations of steps into the newest row of one published run; without such a row nothing happens."""
    cursor.execute(
        "update serving_ledger set seconds = seconds || %s::jsonb "
        "where id = (select max(id) from serving_ledger "
        "where target = %s and dag_id = %s and run_id = %s and action = 'publish')",
        (json.dumps(seconds), target, dag_id, run_id),
    )


def published_by(cursor: psycopg2.extensions.cursor, target: str, dag_id: str, run_id: str) -> LedgerEntry | None:
    """The generation that one run published, if it did."""
    return _one(cursor, "target = %s and dag_id = %s and run_id = %s and action = 'publish'", (target, dag_id, run_id))


def rolled_back_by(cursor: psycopg2.extensions.cursor, target: str, dag_id: str, run_id: str) -> LedgerEntry | None:
    """The generation that one run put back, if it did."""
    return _one(cursor, "target = %s and dag_id = %s and run_id = %s and action = 'rollback'", (target, dag_id, run_id))


def of_table(cursor: psycopg2.extensions.cursor, target: str, table_oid: int | None) -> LedgerEntry | None:
    """The newest entry about one generation, known by its table's oid."""
    return _one(cursor, "target = %s and table_oid = %s", (target, table_oid))


def withdrawn(cursor: psycopg2.extensions.cursor, target: str) -> LedgerEntry | None:
    """The generation that a rollback took away, if nothing was published since."""
    newest = _one(cursor, "target = %s", (target,))
    return of_table(cursor, target, newest.previous_oid) if newest and newest.action == ROLLBACK else None


def history(cursor: psycopg2.extensions.cursor, target: str, limit: int = 20) -> list[LedgerEntry]:
    """Newest first."""
    cursor.execute(
        f"select {_COLUMNS} from serving_ledger where target = %s order by id desc limit %s",
        (target, limit),
    )
    return [_entry(row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Refusal:
    """Why a run did not publish, and when."""

    step: str
    reason: str
    refused_at: datetime


def note_refusal(
    cursor: psycopg2.extensions.cursor, target: str, environment: str, dag_id: str, run_id: str, step: str, reason: str
) -> None:
    """Add one refusal in the caller's transaction."""
    cursor.execute(
        "insert into serving_refusals (target, environment, dag_id, run_id, step, reason) "
        "values (%s, %s, %s, %s, %s, %s)",
        (target, environment, dag_id, run_id, step, reason),
    )


def last_refusal(cursor: psycopg2.extensions.cursor, target: str) -> Refusal | None:
    """The newest refusal since the newest publish, if there is one."""
    cursor.execute(
        "select step, reason, refused_at from serving_refusals where target = %s and refused_at > coalesce("
        "(select max(published_at) from serving_ledger where target = %s and action = 'publish'), '-infinity') "
        "order by id desc limit 1",
        (target, target),
    )
    row = cursor.fetchone()
    return Refusal(*row) if row else None


def instant(seconds: float | None) -> datetime | None:
    """Unix seconds as an aware time; None for a time outside the years 1 to 9999 (ClickHouse has some)."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        return None


def _one(cursor: psycopg2.extensions.cursor, condition: str, values: tuple[Any, ...]) -> LedgerEntry | None:
    cursor.execute(f"select {_COLUMNS} from serving_ledger where {condition} order by id desc limit 1", values)
    row = cursor.fetchone()
    return _entry(row) if row else None


def _entry(row: tuple[Any, ...]) -> LedgerEntry:
    return LedgerEntry(**dict(zip(_COLUMNS.split(", "), row, strict=True)))
