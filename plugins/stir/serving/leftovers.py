"""Working tables that crashed runs left behind.

A table is a leftover only if its name fits this target's pattern *and* its comment names this platform as the owner;
then it goes when it belongs to the asking run, to an earlier run of the same DAG (which has one active run at a time),
or is older than any run.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stir.serving.naming import OWNER, RunNames, working_table_pattern

if TYPE_CHECKING:
    import psycopg2.extensions

log = logging.getLogger(__name__)


def drop_leftovers(
    connection: psycopg2.extensions.connection, names: RunNames, *, own: bool = True, now: datetime | None = None
) -> list[str]:
    """Drop leftovers of this target and return their names. `own` includes the working tables of the asking run.

    A table that somebody uses at this moment is left for the next time.
    """
    import psycopg2

    dropped = []
    for table in _leftovers(connection, names, own=own, now=now or datetime.now(UTC)):
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("set local lock_timeout = '2s'")
                cursor.execute(f"drop table if exists {table}")
            dropped.append(table)
        except psycopg2.errors.LockNotAvailable:
            log.warning("leftover %s is in use and stays for now", table)
    if dropped:
        log.info("dropped leftovers: %s", ", ".join(dropped))
    return dropped


def _leftovers(connection: psycopg2.extensions.connection, names: RunNames, *, own: bool, now: datetime) -> list[str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select relname, obj_description(oid, 'pg_class') from pg_class "
            "where relkind = 'r' and relname ~ %s and pg_table_is_visible(oid) order by relname",
            (working_table_pattern(names.target),),
        )
        found = cursor.fetchall()
    age = timedelta(seconds=names.target.limits.abandoned)
    return [table for table, comment in found if _abandoned(table, comment, names, own=own, oldest=now - age)]


def _abandoned(table: str, comment: str | None, names: RunNames, *, own: bool, oldest: datetime) -> bool:
    try:
        tag = json.loads(comment or "")
        created = datetime.fromisoformat(tag["created"])
        mine = tag["owner"] == OWNER and tag["target"] == names.target.name
    except (ValueError, KeyError, TypeError):
        mine = False
    if not mine:
        log.warning("%s is named like a working table but carries no tag of this platform; it is left alone", table)
        return False
    if tag["dag"] == names.dag_id:
        return own or tag["run"] != names.run_id
    return created < oldest
