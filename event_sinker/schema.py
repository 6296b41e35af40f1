"""The event tables in ClickHouse: their DDL, and bringing existing tables up to it. Safe to run at any time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from event_sinker.errors import SinkerError
from event_sinker.events import EventType

# An insert is told apart from its own retry by its token; this many tokens are remembered per table.
DEDUPLICATION_WINDOW = 10_000

_TABLE_SETTINGS = {
    "index_granularity": 8192,
    "non_replicated_deduplication_window": DEDUPLICATION_WINDOW,
    # An acknowledged event survives a power cut: rows are on the disk before the insert is answered.
    "fsync_after_insert": 1,
    "fsync_part_directory": 1,
}


def create_database(database: str, cluster: str = "") -> str:
    return f"CREATE DATABASE IF NOT EXISTS `{database}`{_on(cluster)}"


def create_table(event: EventType, database: str, cluster: str = "") -> str:
    """CREATE TABLE of one event type. With a cluster: ON CLUSTER and a replicated engine."""
    lines = [f"`{column.name}` {column.type} CODEC({column.codec})" for column in event.columns]
    lines += [f"INDEX {name} {definition}" for name, definition in event.indexes.items()]
    columns = ",\n".join(f"    {line}" for line in lines)
    engine = f"Replicated{event.engine}" if cluster else event.engine
    partition = f"PARTITION BY {event.partition_by}\n" if event.partition_by else ""
    settings = ", ".join(f"{name} = {value}" for name, value in _settings(cluster).items())
    return (
        f"CREATE TABLE IF NOT EXISTS `{database}`.`{event.table}`{_on(cluster)}\n(\n{columns}\n)\n"
        f"ENGINE = {engine}\n{partition}ORDER BY ({', '.join(event.order_by)})\n"
        f"SETTINGS {settings}"
    )


def _on(cluster: str) -> str:
    return f" ON CLUSTER `{cluster}`" if cluster else ""


def _settings(cluster: str) -> dict[str, int]:
    settings = dict(_TABLE_SETTINGS)
    if cluster:
        settings["replicated_deduplication_window"] = settings.pop("non_replicated_deduplication_window")
    return settings


def apply(client: Client, events: Sequence[EventType], database: str, cluster: str = "") -> list[str]:
    """Create what is missing and return one line per change; an empty list means that all was in place.

    An existing table gets missing columns and settings, but keeps a larger window; its rows stay.

    Raises:
        SinkerError: an existing table has another type, partition or sort key: rows must be moved by a person.
    """
    changes = []
    if not client.query("SELECT 1 FROM system.databases WHERE name = %(name)s", {"name": database}).result_rows:
        client.command(create_database(database, cluster))
        changes.append(f"created database {database}")
    for event in events:
        found = client.query(
            "SELECT engine, partition_key, sorting_key, create_table_query FROM system.tables"
            " WHERE database = %(database)s AND name = %(table)s",
            {"database": database, "table": event.table},
        ).result_rows
        if found:
            changes += _upgrade(client, event, database, cluster, found[0])
        else:
            client.command(create_table(event, database, cluster))
            changes.append(f"created table {database}.{event.table}")
    return changes


def _upgrade(client: Client, event: EventType, database: str, cluster: str, found: Sequence[str]) -> list[str]:
    engine, partition_key, sorting_key, ddl = found
    table = f"{database}.{event.table}"
    for what, has, wants in (
        ("engine", engine.removeprefix("Shared"), f"Replicated{event.engine}" if cluster else event.engine),
        ("partition key", partition_key, event.partition_by),
        ("sort key", sorting_key, ", ".join(event.order_by)),
    ):
        if has.replace("`", "").removeprefix("(").removesuffix(")") != wants.removeprefix("(").removesuffix(")"):
            raise SinkerError(
                f"table {table} has {what} ({has}), the sinker needs ({wants}), and ClickHouse cannot change it in "
                f"place. With the sinker stopped: RENAME TABLE {table} TO {table}_old, run init-schema again, "
                f"then copy the rows from {table}_old by INSERT ... SELECT"
            )
    existing = dict(
        client.query(
            "SELECT name, type FROM system.columns WHERE database = %(database)s AND table = %(table)s",
            {"database": database, "table": event.table},
        ).result_rows
    )
    changes = []
    previous = ""
    for column in event.columns:
        if column.name not in existing:
            place = f" AFTER `{previous}`" if previous else " FIRST"
            client.command(
                f"ALTER TABLE `{database}`.`{event.table}`{_on(cluster)} "
                f"ADD COLUMN IF NOT EXISTS `{column.name}` {column.type} CODEC({column.codec}){place}"
            )
            changes.append(f"added column {table}.{column.name}")
        elif existing[column.name] != column.type:
            raise SinkerError(
                f"column {table}.{column.name} is {existing[column.name]}, the sinker writes {column.type}: "
                f"ALTER TABLE {table} MODIFY COLUMN {column.name} {column.type}, or move the table aside"
            )
        previous = column.name
    present = {
        name
        for (name,) in client.query(
            "SELECT name FROM system.data_skipping_indices WHERE database = %(database)s AND table = %(table)s",
            {"database": database, "table": event.table},
        ).result_rows
    }
    for name, definition in event.indexes.items():
        if name not in present:
            alter = f"ALTER TABLE `{database}`.`{event.table}`{_on(cluster)}"
            client.command(f"{alter} ADD INDEX IF NOT EXISTS {name} {definition}")
            changes.append(
                f"added index {table}.{name} for rows from now on; for those that are there, when there is time: "
                f"ALTER TABLE {table} MATERIALIZE INDEX {name}"
            )
    for name, value in _settings(cluster).items():
        has = re.search(rf"\b{name} = (\d+)", ddl)
        if name != "index_granularity" and (has is None or int(has[1]) < value):
            client.command(f"ALTER TABLE `{database}`.`{event.table}`{_on(cluster)} MODIFY SETTING {name} = {value}")
            changes.append(f"set {table} {name} = {value}")
    return changes
