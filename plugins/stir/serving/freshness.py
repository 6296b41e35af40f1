"""Whether a mart is worth publishing now: rebuilt since the generation that is live, and not being rebuilt at this
moment.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stir.serving import ledger
from stir.serving.catalog import relation_oid
from stir.serving.declaration import Target
from stir.serving.export import build_statement, quoted
from stir.serving.ledger import LedgerEntry
from stir.serving.manifest import PublishRefused

if TYPE_CHECKING:
    import psycopg2.extensions

Query = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Freshness:
    """Whether to go on, and why or why not in one sentence. `stale`: that the live table is older than it may be."""

    ready: bool
    reason: str
    stale: str = ""


def look(
    target: Target,
    query: Query,
    connection: psycopg2.extensions.connection,
    *,
    by_hand: bool = False,
    grace: timedelta = timedelta(),
    now: datetime | None = None,
) -> Freshness:
    """Compare the mart with the ledger. `query` runs one ClickHouse statement and returns its rows.

    `grace` is how long a build is left to the DAG that publishes it first. A run that a person started (`by_hand`)
    gives none and publishes an unchanged mart too, also a build that was rolled back, but waits for a rebuild like any
    other.
    Raises PublishRefused when a mart that was published before is gone.
    """
    now = now or datetime.now(UTC)
    with connection, connection.cursor() as cursor:
        live = ledger.of_table(cursor, target.name, relation_oid(cursor, target.name))
        withdrawn = ledger.withdrawn(cursor, target.name)
    seen = _look(target, query, live, by_hand, grace, now)
    if seen.ready and withdrawn and not by_hand and query(build_statement(target))[0][0] == withdrawn.mart_build:
        seen = Freshness(False, f"{target.mart} was not rebuilt since {target.name} was rolled back from this build")
    return replace(seen, stale="" if seen.ready else _stale(target, live, now))


def _look(
    target: Target, query: Query, live: LedgerEntry | None, by_hand: bool, grace: timedelta, now: datetime
) -> Freshness:
    found = query(build_statement(target))
    if not found:
        if live:
            raise PublishRefused(f"{target.mart} is gone; {target.name} was published from it before")
        return Freshness(False, f"{target.mart} was never built")
    if query(rebuilding_statement(target))[0][0]:
        return Freshness(False, f"{target.mart} is being rebuilt")
    if live is None and not query(f"select count() from {target.relation}")[0][0]:
        return Freshness(False, f"{target.mart} has no rows, and nothing was published yet")
    build, built_at = found[0][0], int(found[0][1])
    compared = _compare(target, build, built_at, live, by_hand)
    age = now - datetime.fromtimestamp(built_at, UTC)
    if compared.ready and age < grace and not by_hand:
        return Freshness(False, f"{compared.reason}; the DAG that built it has {grace - age} left to publish it")
    return compared


def _stale(target: Target, live: LedgerEntry | None, now: datetime) -> str:
    if live is None or live.mart_built_at is None or now - live.mart_built_at <= timedelta(hours=target.stale_after):
        return ""
    return f"{target.name} shows the state of {live.mart_built_at:%F %T} and may be {target.stale_after:g} hours old"


def rebuilding_statement(target: Target) -> str:
    """Number of statements of dbt that build the mart right now. dbt writes the model's name in front of each.

    The name is put together by the server, so that this statement does not find itself.
    """
    node = f"concat('\"node_id\": \"model', {quoted('.')}, 'gcc_social.', {quoted(target.mart_table)}, '\"')"
    return f"select count() from system.processes where position(query, {node}) > 0"


def _compare(target: Target, build: str, built_at: int, live: LedgerEntry | None, by_hand: bool) -> Freshness:
    built = f"{ledger.instant(built_at):%F %T}"
    if live is None or live.mart_built_at is None:
        return Freshness(True, f"{target.mart} was built {built}, nothing is published yet")
    newer = built_at > live.mart_built_at.timestamp()
    if live.mart_build:  # tells builds of one second apart, and a merge, which moves the time of what dbt adds to
        newer = build != live.mart_build and built_at >= int(live.mart_built_at.timestamp())
    if newer:
        return Freshness(True, f"{target.mart} was built {built}, after the published build {live.mart_built_at:%F %T}")
    unchanged = (
        f"{target.mart} was not rebuilt since {live.mart_built_at:%F %T}, and that build is live "
        f"(published by {live.dag_id}, run {live.run_id})"
    )
    return Freshness(by_hand, f"{unchanged}; started by hand, so it is published again" if by_hand else unchanged)
