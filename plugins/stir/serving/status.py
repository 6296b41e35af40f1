"""How fresh each serving table is: its live generation, the age of what is inside, and what was refused since."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stir.serving import ledger
from stir.serving.catalog import relation_oid
from stir.serving.database import connect
from stir.serving.declaration import Target
from stir.serving.ledger import LedgerEntry, Refusal
from stir.serving.naming import Environment
from stir.serving.targets import TARGETS

if TYPE_CHECKING:
    import psycopg2.extensions

STALE = 4
"""Exit code when a table that was published once is older than its limit."""


@dataclass(frozen=True)
class Standing:
    """One target in one environment. `live` is None where nothing was published yet."""

    target: Target
    live: LedgerEntry | None
    refusal: Refusal | None
    now: datetime

    @property
    def mart_age(self) -> timedelta | None:
        """Since the build of the mart that is live."""
        built = self.live.mart_built_at if self.live else None
        return timedelta(seconds=round((self.now - built).total_seconds())) if built else None

    @property
    def stale(self) -> bool:
        """Older than the target's limit. What was never published is not: it may be none of this environment's."""
        return self.mart_age is not None and self.mart_age > timedelta(hours=self.target.stale_after)

    @property
    def verdict(self) -> str:
        if not self.live:
            return "never published"
        return f"STALE, limit {self.target.stale_after:g} h" if self.stale else "fresh"


def standings(connection: psycopg2.extensions.connection, now: datetime | None = None) -> list[Standing]:
    """All targets as the ledger of one serving database knows them."""
    now = now or datetime.now(UTC)
    with connection, connection.cursor() as cursor:
        return [
            Standing(
                target,
                ledger.of_table(cursor, name, relation_oid(cursor, name)),
                ledger.last_refusal(cursor, name),
                now,
            )
            for name, target in TARGETS.items()
        ]


def show_status(environments: list[Environment]) -> int:
    """Print one table per environment. Returns the exit code: 0, 4 when a table is stale, 1 when a server does not
    answer.
    """
    import psycopg2
    from airflow.sdk.exceptions import AirflowException
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 220)
    code = 0
    for environment in environments:
        try:
            with closing(connect(environment, "status")) as connection:
                found = standings(connection)
        except (psycopg2.Error, AirflowException) as error:
            print(f"{environment.name}: {str(error).strip() or type(error).__name__}", file=sys.stderr)
            code = 1
            continue
        console.print(_table(environment, found))
        if any(each.stale for each in found):
            code = code or STALE
    return code


def _table(environment: Environment, found: list[Standing]) -> object:
    from rich.table import Table

    shown = Table(title=f"{environment.name}, times in UTC")
    right = ("rows", "mart is old")
    for heading in (
        *("table", "now", "rows", "published", "mart built", "mart is old", "newest event", "by"),
        "refused since",
    ):
        shown.add_column(heading, overflow="fold", justify="right" if heading in right else "left")
    for each in found:
        live, refusal = each.live, each.refusal
        shown.add_row(
            each.target.name,
            each.verdict,
            f"{live.rows:,}" if live else "",
            moment(live.published_at) if live else "",
            moment(live.mart_built_at) if live else "",
            str(each.mart_age) if each.mart_age is not None else "",
            moment(live.newest_event_at) if live else "",
            live.dag_id if live else "",
            f"{moment(refusal.refused_at)} {refusal.step}: {refusal.reason}" if refusal else "",
        )
    return shown


def moment(time: datetime | None) -> str:
    """A time in UTC to the second; empty for none."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""
