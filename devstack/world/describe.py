"""What the loaded world holds: rows per table, the special accounts, and how far the events got."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.table import Table

from devstack.world import marker, profiles, special
from devstack.world.size import SIZES, World
from devstack.world.store import WorldError
from event_sinker.events import EVENT_TYPES
from schema import clickhouse_sources


def describe(client: Client, console: Console) -> None:
    """Print it. WorldError when no world is loaded."""
    noted = marker.read(client)
    if noted is None:
        raise WorldError("no world is loaded: run `python -m devstack.world load` first")
    console.print(
        f"world [bold]{noted.size}[/], seed {noted.seed}, as of {noted.as_of:%Y-%m-%d %H:%M} UTC, {noted.state}, "
        f"{noted.events:,} events published"
    )
    console.print(_rows(client))
    console.print(_special(World(SIZES[noted.size], noted.seed, noted.as_of)))
    if client.command("EXISTS TABLE _e.profile_log_events"):
        console.print(_events(client))


def _rows(client: Client) -> Table:
    table = Table("table", "rows", title="Source tables", title_justify="left")
    for database, name, rows in client.query(
        "SELECT database, name, total_rows FROM system.tables WHERE database IN {databases:Array(String)}"
        " AND total_rows > 0 ORDER BY database, name",
        parameters={"databases": list(clickhouse_sources.source_databases())},
    ).result_rows:
        table.add_row(f"{database}.{name}", f"{rows:,}")
    return table


def _special(world: World) -> Table:
    table = Table("state", "handles", title="Instagram profiles in a special state", title_justify="left")
    handles = profiles.chunk(world, 0).handle.to_pylist()
    for state, positions in special.STATES.items():
        table.add_row(state, ", ".join(handles[position] for position in positions))
    return table


def _events(client: Client) -> Table:
    table = Table(
        "event table", "rows", "distinct", "oldest", "newest", title="Events in ClickHouse", title_justify="left"
    )
    for event in EVENT_TYPES.values():
        if not client.command(f"EXISTS TABLE _e.{event.table}"):
            continue
        rows, distinct, oldest, newest = client.query(
            f"SELECT count(), uniqExact({event.id_column}), min({event.time_column}), max({event.time_column})"  # noqa: S608
            f" FROM _e.{event.table}"
        ).result_rows[0]
        if rows:
            table.add_row(f"_e.{event.table}", f"{rows:,}", f"{distinct:,}", str(oldest), str(newest))
    return table
