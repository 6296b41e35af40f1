"""How large a world is, and the three facts that determine every row of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

PROFILE_CHUNK = 20_000  # rows are drawn per chunk of profiles, so memory stays bounded and chunks can come in any order
CHANNEL_CHUNK = 20_000
HISTORY_MONTHS = 13


@dataclass(frozen=True)
class WorldSize:
    """Row counts that the rest follows from; the share of tracked accounts decides how many events there are."""

    name: str
    profiles: int
    channels: int
    tracked_share: float
    post_collections: int
    collection_items: int
    profile_collections: int
    applications: int
    scrape_requests: int

    @property
    def followed_profiles(self) -> int:
        """Profiles whose followers were read."""
        return max(8, min(self.profiles // 250, 200))

    @property
    def followers_read(self) -> int:
        """Followers read of each of them."""
        return 120 if self.profiles < 2_000 else 750

    @property
    def orders(self) -> int:
        return max(120, min(self.profiles // 50, 5_000))


SIZES = {
    "small": WorldSize("small", 300, 80, 0.95, 12, 240, 6, 200, 400),
    "medium": WorldSize("medium", 10_000, 2_000, 0.75, 60, 1_200, 20, 2_000, 12_000),
    "large": WorldSize("large", 500_000, 100_000, 0.08, 2_000, 60_000, 400, 50_000, 300_000),
}


@dataclass(frozen=True)
class World:
    """One world: the same three values give the same rows on every machine."""

    size: WorldSize
    seed: int
    as_of: datetime  # UTC, whole seconds; nothing in the world is younger

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError("as_of must carry a time zone")

    @property
    def as_of_epoch(self) -> int:
        """Seconds since 1970 at the end of the world's history."""
        return int(self.as_of.timestamp())


def parse_as_of(text: str) -> datetime:
    """`YYYY-MM-DD` (its midnight) or an ISO date and time, taken as UTC when it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"--as-of must look like 2026-06-15 or 2026-06-15T12:30, not {text!r}") from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=0)
