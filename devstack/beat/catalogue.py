"""What a scrape finds: accounts of ClickHouse's replica or, without ClickHouse, accounts made up from their names."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from clickhouse_connect.driver.client import Client

from devstack.beat.replica import Replica, Row

UNKNOWN_PREFIX = "unknown"  # names that begin so do not exist in a made-up world


class Catalogue(Protocol):
    """Rows by natural key, newest first, and taking over what a scrape has seen."""

    def profiles(self, column: str, values: Sequence[str]) -> list[Row]: ...
    def posts(self, column: str, values: Sequence[str], limit: int = 50) -> list[Row]: ...
    def channels(self, channel_ids: Sequence[str]) -> list[Row]: ...
    def videos(self, column: str, values: Sequence[str], limit: int = 50) -> list[Row]: ...
    def update(self, table: str, rows: Sequence[Row], columns: Sequence[str]) -> None: ...
    def store(self, table: str, rows: Sequence[Row]) -> None: ...
    def set_post_types(self, types: Mapping[str, str]) -> None: ...


class ReplicaCatalogue:
    """The accounts of `beat_replica`; connects when first needed and again after an error. Safe for several threads."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._replica: Replica | None = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            with self._lock:
                if self._replica is None:
                    self._replica = Replica(self._connect())
                try:
                    return getattr(self._replica, name)(*arguments, **options)
                except Exception:
                    self._replica = None
                    raise

        return call


class InventedCatalogue:
    """Accounts that follow from their name alone: the same name is always the same account."""

    def profiles(self, column: str, values: Sequence[str]) -> list[Row]:
        return [self._profile(column, value) for value in values if not value.startswith(UNKNOWN_PREFIX)]

    def posts(self, column: str, values: Sequence[str], limit: int = 50) -> list[Row]:
        found = [value for value in values if not value.startswith(UNKNOWN_PREFIX)]
        if column == "shortcode":
            return [self._post(code, _number(code)) for code in found]
        return [
            self._post(f"{owner}{place:03d}"[-11:], place) | {"profile_id": owner}
            for owner in found
            for place in range(min(limit, 24))
        ]

    def channels(self, channel_ids: Sequence[str]) -> list[Row]:
        return [
            {
                "id": _number(value) % 10**9,
                "channel_id": value,
                "title": f"Channel {value[:6]}",
                "description": None,
                "custom_url": None,
                "subscribers": 1_000 + _number(value) % 1_000_000,
                "uploads": 50 + _number(value) % 500,
                "views": 100_000 + _number(value) % 10**8,
                "country": "IN",
                "thumbnail": f"https://yt3.example/{value}=s88-c",
                "published_at": datetime(2019, 5, 1),  # noqa: DTZ001 -- replica rows carry no zone
            }
            for value in channel_ids
            if value.startswith("UC")
        ]

    def videos(self, column: str, values: Sequence[str], limit: int = 50) -> list[Row]:
        codes = values if column == "shortcode" else [f"{value[2:11]}{n:02d}" for value in values for n in range(10)]
        return [
            {
                "id": _number(code) % 10**9,
                "shortcode": code,
                "channel_id": values[0] if column == "channel_id" else f"UC{'A' * 21}Q",
                "title": f"Video {code}",
                "description": None,
                "channel_title": None,
                "views": _number(code) % 1_000_000,
                "likes": _number(code) % 10_000,
                "comments": _number(code) % 1_000,
                "duration": "PT4M13S",
                "thumbnail": None,
                "category_id": "24",
                "audio_language": "hi",
                "published_at": _days_ago(_number(code) % 60),
                "post_type": "video",
            }
            for code in codes[:limit]
        ]

    def update(self, table: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Nothing to take over: the next scrape starts from the name again."""

    def store(self, table: str, rows: Sequence[Row]) -> None:
        """Nowhere to store it."""

    def set_post_types(self, types: Mapping[str, str]) -> None:
        """Made-up videos all have one."""

    def _profile(self, column: str, value: str) -> Row:
        number = _number(value)
        return {
            "id": number % 10**9,
            "profile_id": value if column == "profile_id" else str(10_000_000 + number % 10**9),
            "handle": value if column == "handle" else f"creator.{number % 10**6}",
            "full_name": "Made Up",
            "biography": 'Says "hello" \\ नमस्ते\n🙂',
            "followers": 500 + number % 500_000,
            "following": number % 900,
            "media_count": 30 + number % 400,
            "profile_pic_url": None,
            "profile_type": "creator",
            "is_private": 0,
            "is_verified": 0,
            "fbid": f"1784{number % 10**13:013d}",
            "updated_at": _days_ago(2),
        }

    def _post(self, code: str, number: int) -> Row:
        return {
            "id": number % 10**9,
            "profile_id": str(10_000_000 + number % 10**9),
            "handle": f"creator.{number % 10**6}",
            "post_id": str(3 * 10**18 + number % 10**17),
            "post_type": ("reels", "image", "carousel")[number % 3],
            "caption": "Made up #reels",
            "likes": 10 + number % 5_000,
            "comments": number % 200,
            "plays": 1_000 + number % 90_000 if number % 3 == 0 else None,
            "shortcode": code,
            "display_url": None,
            "thumbnail_url": None,
            "publish_time": _days_ago(number % 60),
            "updated_at": _days_ago(1),
        }


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


def _days_ago(days: int) -> datetime:
    # Replica rows carry no zone; they are UTC.
    return (datetime.now(UTC) - timedelta(days=days)).replace(tzinfo=None, microsecond=0)
