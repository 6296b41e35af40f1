"""How fresh each serving table is: its live generation, the age of what is inside, and what was refused since."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
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
    from rich.console import Console

STALE = 4
"""Exit code when a table that was published once is older than its limit, or lost."""
FEWEST_COLUMNS = 4
"""In the narrowest terminal: table, verdict, rows and age."""


@dataclass(frozen=True)
class Standing:
    """One target in one environment. `live` is None where nothing was published yet, or where what was published is
    lost: `lost` says so in few words then.
    """

    target: Target
    live: LedgerEntry | None
    refusal: Refusal | None
    now: datetime
    lost: str = ""

    @property
    def mart_age(self) -> timedelta | None:
        """Since the build of the mart that is live."""
        built = self.live.mart_built_at if self.live else None
        return timedelta(seconds=round((self.now - built).total_seconds())) if built else None

    @property
    def stale(self) -> bool:
        """Lost, or older than the target's limit. What was never published is neither: it may be none of this
        environment's.
        """
        too_old = self.mart_age is not None and self.mart_age > timedelta(hours=self.target.stale_after)
        return too_old or bool(self.lost)

    @property
    def verdict(self) -> str:
        if not self.live:
            return f"LOST: {self.lost}" if self.lost else "never published"
        return f"STALE, limit {self.target.stale_after:g} h" if self.stale else "fresh"


def standings(connection: psycopg2.extensions.connection, now: datetime | None = None) -> list[Standing]:
    """All targets as the ledger of one serving database knows them."""
    now = now or datetime.now(UTC)
    with connection, connection.cursor() as cursor:
        return [_standing(cursor, target, now) for target in TARGETS.values()]


def _standing(cursor: psycopg2.extensions.cursor, target: Target, now: datetime) -> Standing:
    table = relation_oid(cursor, target.name)
    live = ledger.of_table(cursor, target.name, table)
    lost = ""
    if live is None and ledger.history(cursor, target.name, limit=1):
        lost = "no table" if table is None else "other table"
    return Standing(target, live, ledger.last_refusal(cursor, target.name), now, lost)


def show_status(environments: list[Environment]) -> int:
    """Print one table per environment. Returns the exit code: 0, 4 when a table is stale, 1 when a server does not
    answer.
    """
    import psycopg2
    from airflow.sdk.exceptions import AirflowException
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 220)
    code = 0
    for environment in environments:
        try:
            with closing(connect(environment, "status")) as connection:
                found = standings(connection)
        except (psycopg2.Error, AirflowException) as error:
            print(f"{environment.name}: {str(error).strip() or type(error).__name__}", file=sys.stderr)
            code = 1
            continue
        print_standings(console, environment, found)
        if any(each.stale for each in found):
            code = code or STALE
    return code


def print_standings(console: Console, environment: Environment, found: list[Standing]) -> None:
    """A table with as many columns as the console has room for, and a line for each refusal."""
    from rich.table import Table
    from rich.text import Text

    columns: dict[str, Callable[[Standing], str]] = {
        "table": lambda each: each.target.name,
        "now": lambda each: each.verdict,
        "rows": lambda each: f"{each.live.rows:,}" if each.live else "",
        "mart is old": lambda each: str(each.mart_age) if each.mart_age is not None else "",
        "newest event": lambda each: moment(each.live.newest_event_at) if each.live else "",
        "published": lambda each: moment(each.live.published_at) if each.live else "",
        "mart built": lambda each: moment(each.live.mart_built_at) if each.live else "",
        "by": lambda each: each.live.dag_id if each.live else "",
    }
    unlimited = console.options.update(width=1000)
    while True:
        shown = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
        for heading in columns:
            right = heading in ("rows", "mart is old")
            shown.add_column(heading, no_wrap=heading != "table", overflow="fold", justify="right" if right else "left")
        for each in found:
            shown.add_row(*(Text(say(each)) for say in columns.values()))
        if len(columns) <= FEWEST_COLUMNS or console.measure(shown, options=unlimited).maximum <= console.width:
            break
        columns.popitem()
    console.print(f"{environment.name}, times in UTC", style="bold", highlight=False)
    console.print(shown)
    for each in found:
        if refusal := each.refusal:
            said = f"{each.target.name} refused since: {moment(refusal.refused_at)} {refusal.step}: {refusal.reason}"
            console.print(said, highlight=False, markup=False, soft_wrap=True)


def moment(time: datetime | None) -> str:
    """A time in UTC to the second; empty for none."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""
