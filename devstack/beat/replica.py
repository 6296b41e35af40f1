"""What Beat knows about accounts and posts, read from and written to ClickHouse's replica of its database.

A replica shows one row per account, so changes are mutations of that row, applied before the call returns. Both the
simulator and the world's pulse go through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PROFILE = (
    "id, profile_id, handle, full_name, biography, followers, following, media_count, profile_pic_url, profile_type, "
    "is_private, is_verified, fbid, updated_at"
)
_POST = (
    "id, profile_id, handle, post_id, post_type, caption, likes, comments, plays, shortcode, display_url, "
    "thumbnail_url, publish_time, updated_at"
)
_CHANNEL = (
    "id, channel_id, title, description, custom_url, subscribers, uploads, views, country, thumbnail, published_at"
)
_VIDEO = (
    "id, shortcode, channel_id, title, description, channel_title, views, likes, comments, duration, thumbnail, "
    "category_id, audio_language, published_at, post_type"
)

Row = dict[str, object]

NATURAL_KEYS = {
    "asset_log": "entity_id",
    "order": "platform_order_id",
    "instagram_profile_insights": "profile_id",
    "youtube_profile_insights": "channel_id",
}
"""Tables of which Beat keeps one row per this column; other logs only grow."""


@dataclass
class Replica:
    """Reads and updates rows of `beat_replica`. Not thread-safe: one per thread."""

    client: Client

    def profiles(self, column: str, values: Sequence[str]) -> list[Row]:
        """Latest row per handle or profile id (`column`)."""
        return self._rows("instagram_account", _PROFILE, column, values, newest="updated_at")

    def sample_profiles(self, count: int, seed: int) -> list[Row]:
        """Some profiles whose follower count is known, the same for the same seed."""
        return self._sample("instagram_account", _PROFILE, "followers > 0", count, seed)

    def sample_channels(self, count: int, seed: int) -> list[Row]:
        return self._sample("youtube_account", _CHANNEL, "subscribers > 0 AND views > 0", count, seed)

    def sample_posts(self, count: int, seed: int, days: int) -> list[Row]:
        """Some posts (no stories) of the last days."""
        condition = f"publish_time > now() - INTERVAL {int(days)} DAY AND post_type != 'story'"
        return self._sample("instagram_post_simple", _POST, condition, count, seed)

    def posts(self, column: str, values: Sequence[str], limit: int = 50) -> list[Row]:
        """Posts by shortcode or owner, newest first."""
        return self._rows("instagram_post_simple", _POST, column, values, newest="publish_time", limit=limit)

    def channels(self, channel_ids: Sequence[str]) -> list[Row]:
        return self._rows("youtube_account", _CHANNEL, "channel_id", channel_ids, newest="updated_at")

    def videos(self, column: str, values: Sequence[str], limit: int = 50) -> list[Row]:
        """Videos by shortcode or channel_id, newest first."""
        return self._rows("youtube_post_simple", _VIDEO, column, values, newest="published_at", limit=limit)

    def update(self, table: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Set integer `columns` of the rows with these ids, and updated_at to now."""
        if not rows:
            return
        ids = ", ".join(str(int(row["id"])) for row in rows)
        # The casts are needed: beyond 2^32 a literal is UInt64, which has no common type with the Int64 of the column.
        changes = [
            f"{column} = transform(assumeNotNull(id), CAST([{ids}], 'Array(Int64)'),"
            f" CAST([{', '.join(str(int(row[column])) for row in rows)}], 'Array(Int64)'), assumeNotNull({column}))"
            for column in columns
        ]
        self.client.command(
            f"ALTER TABLE beat_replica.{table} UPDATE {', '.join(changes)}, updated_at = now64(6)"
            f" WHERE id IN ({ids}) SETTINGS mutations_sync = 1"
        )

    def store(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows that Beat writes itself; where a table has a natural key, they replace the row that has it."""
        latest = {row.get(NATURAL_KEYS.get(table, "id")): row for row in rows}
        if not latest:
            return
        if table in NATURAL_KEYS:
            self.client.command(
                f"ALTER TABLE beat_replica.`{table}` DELETE WHERE {NATURAL_KEYS[table]} IN %(keys)s"
                " SETTINGS mutations_sync = 1",
                parameters={"keys": list(latest)},
            )
        columns = list(next(iter(latest.values())))
        values = [[row[column] for column in columns] for row in latest.values()]
        self.client.insert(table, values, column_names=columns, database="beat_replica")

    def set_post_types(self, types: Mapping[str, str]) -> None:
        """Set the post type of videos by shortcode."""
        if types:
            self.client.command(
                "ALTER TABLE beat_replica.youtube_post_simple UPDATE"
                " post_type = transform(assumeNotNull(shortcode), %(codes)s, %(types)s, ''), updated_at = now64(6)"
                " WHERE shortcode IN %(codes)s SETTINGS mutations_sync = 1",
                parameters={"codes": list(types), "types": list(types.values())},
            )

    def _rows(
        self, table: str, columns: str, column: str, values: Sequence[str], *, newest: str, limit: int = 1_000_000
    ) -> list[Row]:
        if not values:
            return []
        statement = (
            f"SELECT {columns} FROM beat_replica.{table} WHERE {column} IN {{values:Array(String)}} "  # noqa: S608
            f"ORDER BY {newest} DESC, id LIMIT {int(limit)}"
        )
        return list(self.client.query(statement, parameters={"values": list(values)}).named_results())

    def _sample(self, table: str, columns: str, condition: str, count: int, seed: int) -> list[Row]:
        statement = (
            f"SELECT {columns} FROM beat_replica.{table} WHERE {condition} "  # noqa: S608
            f"ORDER BY cityHash64(id, {{seed:UInt64}}), id LIMIT {int(count)}"
        )
        return list(self.client.query(statement, parameters={"seed": seed}).named_results())
