"""What no run cleans up after itself: artifacts of crashed runs, backups that nobody will restore, and how much disk
everything takes.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stir.serving import leftovers
from stir.serving.declaration import MOST_GENERATIONS, Target
from stir.serving.naming import OWNER, Environment, RunNames

if TYPE_CHECKING:
    import psycopg2.extensions

log = logging.getLogger(__name__)


def clean_database(
    connection: psycopg2.extensions.connection,
    targets: list[Target],
    environment: Environment,
    *,
    dag_id: str,
    run_id: str,
    keep_backups: timedelta,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Drop abandoned working tables and expired backups of the targets. Returns what was dropped and the bytes of each
    table that is left.

    A backup expires when its generation was replaced longer ago than `keep_backups`. One without this platform's tag
    stays, whoever made it.
    """
    now = now or datetime.now(UTC)
    dropped = []
    for target in targets:
        dropped += leftovers.drop_leftovers(connection, RunNames(target, environment, dag_id, run_id), now=now)
        dropped += [
            table
            for table in _generations(target)
            if _replaced_before(connection, table, now - keep_backups) and _drop(connection, table, now - keep_backups)
        ]
    sizes = table_sizes(connection, targets)
    for table, size in sizes.items():
        log.info("%s (%s): %.1f MB", table, environment.name, size / 1e6)
    return {"dropped": dropped, "bytes": sizes}


def table_sizes(connection: psycopg2.extensions.connection, targets: list[Target]) -> dict[str, int]:
    """Bytes of the targets' live tables and previous generations with their indexes, largest first."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select relname, pg_total_relation_size(oid) from pg_class "
            "where relkind = 'r' and relname = any(%s) and pg_table_is_visible(oid) order by 2 desc, 1",
            ([name for target in targets for name in (target.name, *_generations(target))],),
        )
        return {table: int(size) for table, size in cursor.fetchall()}


def _generations(target: Target) -> list[str]:
    """Tables that previous generations may have, also beyond what the target keeps now."""
    return [target.previous_generation(number) for number in range(1, MOST_GENERATIONS + 1)]


def _replaced_before(connection: psycopg2.extensions.connection, table: str, moment: datetime) -> bool:
    """Whether a previous generation was replaced before `moment`."""
    with connection, connection.cursor() as cursor:
        return _is_older(cursor, table, moment)


def _is_older(cursor: psycopg2.extensions.cursor, table: str, moment: datetime) -> bool:
    """The same in the caller's transaction: the swap that replaced the generation wrote when in its tag."""
    cursor.execute("select obj_description(to_regclass(%s), 'pg_class')", (table,))
    comment = cursor.fetchone()[0]
    try:
        tag = json.loads(comment or "")
        return bool(tag["owner"] == OWNER and datetime.fromisoformat(tag["created"]) < moment)
    except (ValueError, KeyError, TypeError):
        return False


def _drop(connection: psycopg2.extensions.connection, table: str, moment: datetime) -> bool:
    """Drop a generation that was replaced before `moment`, unless somebody uses it or something depends on it."""
    import psycopg2

    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = '2s'")
            cursor.execute(f"lock table {table} in access exclusive mode")
            if not _is_older(cursor, table, moment):  # a swap has moved the generations on since they were looked at
                return False
            cursor.execute(f"drop table {table}")
    except psycopg2.errors.UndefinedTable:
        return False
    except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DependentObjectsStillExist) as error:
        log.warning("%s stays for now: %s", table, str(error).strip())
        return False
    return True
