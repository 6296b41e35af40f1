"""Putting a working table in the live table's place, in one transaction, and back again.

Readers wait at most LOCK_WAIT_MS for a swap that cannot get its lock, plus the few milliseconds of the renames for one
that can: everything that takes longer happens before the lock is asked for. A swap that does not get its lock lets go
and tries again.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stir.serving import generations, ledger
from stir.serving.catalog import (
    grant_statements,
    index_names,
    owned_sequences,
    relation_bytes,
    relation_exists,
    relation_oid,
    swap_blockers,
    table_comment,
    views_on,
)
from stir.serving.declaration import Target
from stir.serving.generations import backup_index
from stir.serving.ledger import LedgerEntry
from stir.serving.load import literal, one_writer
from stir.serving.manifest import PublishRefused
from stir.serving.naming import RunNames

if TYPE_CHECKING:
    import psycopg2.extensions

log = logging.getLogger(__name__)

LOCK_WAIT_MS = 25
UNDER_LOCK_WAIT_MS = 1  # for an index or a sequence, while the live table is locked: what is not free is tried later
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class SwapOutcome:
    """What a swap did. `locked_ms` is how long readers could have been held up by the attempt that succeeded."""

    attempts: int
    locked_ms: float
    already_done: bool = False


@dataclass(frozen=True)
class Incoming:
    """The table that goes live: its name and, per index, the permanent name that it takes."""

    table: str
    indexes: dict[str, str]


def publish(
    connection: psycopg2.extensions.connection, names: RunNames, entry: LedgerEntry, *, patience: float
) -> SwapOutcome:
    """Make the working table of this run the live one; the live one becomes previous generation 1, the others move on
    by one, and those beyond the target's limit are dropped.

    The ledger row is part of the transaction; the bytes of the table are added to its hops. Running it again after a
    success does nothing. Raises PublishRefused when a newer generation is live or something hangs on one to be dropped,
    TimeoutError when the lock was not to be had within `patience` seconds.
    """
    target = names.target

    def attempt(cursor: psycopg2.extensions.cursor) -> float | None:
        cursor.execute(one_writer(target))
        if not relation_exists(cursor, names.working_table):
            if ledger.published_by(cursor, target.name, names.dag_id, names.run_id):
                return None
            raise PublishRefused(f"working table {names.working_table} is gone: run this DAG again from the export")
        live = relation_oid(cursor, target.name)
        _refuse_older(cursor, target, live, entry)
        if blockers := swap_blockers(cursor, target.name):  # made since the guards looked
            raise PublishRefused(f"{target.name} stays as it is. in the way: {'; '.join(blockers)}")
        cursor.execute(f"set local lock_timeout = '{LOCK_WAIT_MS}ms'")
        generations.make_room(cursor, target)
        incoming = Incoming(
            names.working_table,
            {names.working_index(number): index.name for number, index in enumerate(target.indexes)},
        )
        table = (entry.hops or {}).get("table", {}) | {"bytes": relation_bytes(cursor, names.working_table)}
        ledger.insert(
            cursor,
            replace(
                entry,
                table_oid=relation_oid(cursor, names.working_table) or 0,
                previous_oid=live,
                hops=(entry.hops or {}) | {"table": table},
            ),
        )
        return _exchange(cursor, target, incoming, names.tag())

    return _persistently(connection, names, attempt, patience)


def roll_back(
    connection: psycopg2.extensions.connection,
    names: RunNames,
    check: Callable[[psycopg2.extensions.cursor], int],
    *,
    patience: float,
    generation: int = 1,
) -> SwapOutcome:
    """Put previous generation `generation` back in the live table's place; the live one becomes generation 1 and the
    newer ones move on by one. A run does so once.

    `check` runs the guards on it inside the transaction and returns its rows.
    """
    target = names.target

    def attempt(cursor: psycopg2.extensions.cursor) -> float | None:
        cursor.execute(one_writer(target))
        if ledger.rolled_back_by(cursor, target.name, names.dag_id, names.run_id):
            return None  # a retry must not exchange the two again
        rows = check(cursor)
        live, backup = relation_oid(cursor, target.name), relation_oid(cursor, target.previous_generation(generation))
        known = ledger.of_table(cursor, target.name, backup)
        entry = known or LedgerEntry(
            target=target.name, environment=names.environment.name, action=ledger.ROLLBACK, dag_id="", run_id=""
        )
        ledger.insert(
            cursor,
            replace(
                entry,
                action=ledger.ROLLBACK,
                dag_id=names.dag_id,
                run_id=names.run_id,
                table_oid=backup or 0,
                previous_oid=live,
                rows=rows,
                guards={},
                seconds={},
            ),
        )
        cursor.execute(f"set local lock_timeout = '{LOCK_WAIT_MS}ms'")
        indexes = generations.take_out(cursor, target, generation, names)
        return _exchange(cursor, target, Incoming(names.working_table, indexes), names.tag())

    return _persistently(connection, names, attempt, patience)


def _exchange(cursor: psycopg2.extensions.cursor, target: Target, incoming: Incoming, tag: str) -> float:
    """Live table to backup, incoming table to live, with all that belongs to the name. Returns the milliseconds under
    lock.
    """
    for statement in grant_statements(cursor, target.name, incoming.table):
        cursor.execute(statement)
    comment = table_comment(cursor, target.name)
    cursor.execute(f"comment on table {incoming.table} is {literal(comment) if comment is not None else 'null'}")
    views = views_on(cursor, target.name)
    old_indexes = index_names(cursor, target.name)
    # Views before the table, the order in which readers lock them. This ALTER changes nothing; it locks the view alone,
    # where LOCK TABLE would lock every table that the view reads.
    locks = [f"alter view {view.name} owner to {view.owner}" for view in views]
    statements = [
        f"set local lock_timeout = '{max(1, LOCK_WAIT_MS // (1 + len(views)))}ms'",
        # The incoming table before the live one: nobody waits for it.
        f"lock table {incoming.table} in access exclusive mode",
        *locks,
        f"lock table {target.name} in access exclusive mode",
        f"set local lock_timeout = '{UNDER_LOCK_WAIT_MS}ms'",  # readers queue from here on
        f"alter table {target.name} rename to {target.backup}",
        *(f'alter index "{name}" rename to "{backup_index(name)}"' for name in old_indexes),
        f"alter table {incoming.table} rename to {target.name}",
        *(f'alter index "{name}" rename to "{permanent}"' for name, permanent in incoming.indexes.items()),
        *(
            f"alter sequence {sequence} owned by {target.name}.{column}"
            for sequence, column in owned_sequences(cursor, target.name)
        ),
        *(view.statement for view in views),
        f"comment on table {target.backup} is {literal(tag)}",
    ]
    begin = time.perf_counter()
    cursor.execute(";\n".join(statements))
    cursor.connection.commit()
    return (time.perf_counter() - begin) * 1000


def _refuse_older(cursor: psycopg2.extensions.cursor, target: Target, live: int | None, entry: LedgerEntry) -> None:
    current = ledger.of_table(cursor, target.name, live)
    if current and current.mart_built_at and entry.mart_built_at and current.mart_built_at > entry.mart_built_at:
        raise PublishRefused(
            f"{target.name} already shows a newer mart: built {current.mart_built_at:%F %T}, this run's was built "
            f"{entry.mart_built_at:%F %T} (published by {current.dag_id}, run {current.run_id})"
        )


def _persistently(
    connection: psycopg2.extensions.connection,
    names: RunNames,
    attempt: Callable[[psycopg2.extensions.cursor], float | None],
    patience: float,
) -> SwapOutcome:
    import psycopg2

    target = names.target
    deadline = time.monotonic() + patience
    pause, attempts = FIRST_PAUSE, 0
    while True:
        attempts += 1
        try:
            with connection.cursor() as cursor:
                locked = attempt(cursor)
                connection.commit()
            log.info("%s: swapped at attempt %d, %.1f ms under lock", target.name, attempts, locked or 0)
            return SwapOutcome(attempts, locked or 0.0, already_done=locked is None)
        except psycopg2.errors.LockNotAvailable as error:
            connection.rollback()
            if time.monotonic() + pause > deadline:
                raise TimeoutError(
                    f"{target.name} could not be swapped within {patience:.0f} s and {attempts} attempts: "
                    f"{str(error).strip()}. Held by: {_holders(connection, names)}"
                ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- spread, not secrecy
            pause = min(pause * 1.5, LONGEST_PAUSE)
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise


def _holders(connection: psycopg2.extensions.connection, names: RunNames) -> str:
    """Sessions that hold a lock on what a swap moves, drops or re-creates, for the message of one that gave up."""
    target = names.target
    with connection, connection.cursor() as cursor:
        tables = [target.name, names.working_table, *map(target.previous_generation, generations.kept(cursor, target))]
        views = [view.name for view in views_on(cursor, target.name)]
        sequences = [name for name, _ in owned_sequences(cursor, target.name)]
        cursor.execute(
            "select string_agg(distinct format('pid %%s on %%s (%%s, since %%s)', a.pid, l.relation::regclass, "
            "coalesce(nullif(a.application_name, ''), a.usename), to_char(a.xact_start, 'HH24:MI:SS')), ', ') "
            "from pg_locks l join pg_stat_activity a using (pid) "
            "where l.relation in (select to_regclass(name) from unnest(%s) as name) and l.granted "
            "and a.datname = current_database() and a.pid <> pg_backend_pid()",
            ([*tables, *views, *sequences],),
        )
        return cursor.fetchone()[0] or "nobody any more"
