"""What is loaded: a row per step of a load, so that a finished world is left alone and a half-done one redone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from devstack.world.size import World

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DATABASE = "synthetic_world"
LOADING, COMPLETE = "loading", "complete"


@dataclass(frozen=True)
class Marker:
    size: str
    seed: int
    as_of: datetime
    state: str
    events: int

    def matches(self, size: str, seed: int, as_of: datetime | None) -> bool:
        """Whether this is the world asked for; any moment will do when none is named."""
        return (self.size, self.seed) == (size, seed) and as_of in (None, self.as_of)


def read(client: Client) -> Marker | None:
    """The last step noted, None when no world was ever loaded."""
    if not client.command(f"EXISTS TABLE {DATABASE}.load"):
        return None
    rows = client.query(
        f"SELECT size, seed, as_of, state, events FROM {DATABASE}.load ORDER BY noted_at DESC LIMIT 1"  # noqa: S608
    ).result_rows
    if not rows:
        return None
    size, seed, as_of, state, events = rows[0]
    return Marker(size, seed, as_of.replace(tzinfo=UTC), state, events)


def write(client: Client, world: World, state: str, events: int = 0) -> None:
    """Note a step of a load."""
    client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    client.command(
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.load (noted_at DateTime64(6), size String, seed UInt64, "
        "as_of DateTime, state String, events UInt64) ENGINE = MergeTree ORDER BY noted_at"
    )
    now = datetime.now(UTC)
    client.insert(
        "load",
        [[now, world.size.name, world.seed, world.as_of, state, events]],
        column_names=["noted_at", "size", "seed", "as_of", "state", "events"],
        database=DATABASE,
    )
