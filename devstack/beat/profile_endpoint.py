"""The profile endpoint: a profile as last known, scraped at once when it is old, unknown or the caller insists."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta

from devstack.beat import engagement, scraping
from devstack.beat.catalogue import Catalogue
from devstack.beat.flows import Scrapes
from devstack.beat.ledger import Ledger
from devstack.beat.replica import Row

STALE_AFTER = timedelta(days=1)
PER_DAY, PER_MINUTE, SECONDS_PER_HANDLE = 20_000, 60, 1.0


class ProfileError(Exception):
    """An answer with an ERROR envelope: message and code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message, self.code = message, code


class FullRefreshLimit:
    """20,000 a day, 60 a minute, one a second per handle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: deque[float] = deque()
        self._by_handle: dict[str, float] = {}

    def take(self, handle: str) -> None:
        """Raises ProfileError (code 2) when a limit is reached."""
        now = time.monotonic()
        with self._lock:
            while self._times and now - self._times[0] > 86_400:
                self._times.popleft()
            last_minute = sum(1 for moment in self._times if now - moment < 60) if self._times else 0
            recently = now - self._by_handle.get(handle, -SECONDS_PER_HANDLE) < SECONDS_PER_HANDLE
            if recently or last_minute >= PER_MINUTE or len(self._times) >= PER_DAY:
                raise ProfileError("Concurrency Limit Exceeded", 2)
            self._times.append(now)
            self._by_handle = {name: moment for name, moment in self._by_handle.items() if now - moment < 1}
            self._by_handle[handle] = now


class ProfileEndpoint:
    """Answers for the platforms instagram and youtube; a scrape publishes its events through the outbox."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue) -> None:
        self.ledger, self.catalogue = ledger, catalogue
        self.limit = FullRefreshLimit()

    def instagram(self, handle: str, *, full: bool, force: bool) -> dict[str, object]:
        """Profile with averages and recent posts when `full`. Raises ProfileError."""
        row = self._first(self.catalogue.profiles("handle", [handle]))
        if force or row is None or _stale(row["updated_at"]):
            if full:
                self.limit.take(handle)
            self._scrape(Scrapes.PROFILES, {"handle": handle}, handle)
            row = self._first(self.catalogue.profiles("handle", [handle]))
        if row is None:
            raise ProfileError(f"Profile not found - {handle}", 404)
        body = {
            "platform": "instagram",
            **{name: row[name] for name in ("handle", "fbid", "profile_id", "full_name", "biography")},
            **{name: row[name] for name in ("profile_pic_url", "following", "followers", "media_count")},
            "is_private": None if row["is_private"] is None else bool(row["is_private"]),
            "updated_at": row["updated_at"].isoformat() if row["updated_at"] else None,
            "profile_type": row["profile_type"] or "personal",
            "post_metrics": {},
            "recent_posts": None,
        }
        if full:
            posts = engagement.recent_posts(self.catalogue.posts("profile_id", [str(row["profile_id"])], limit=60))
            body["post_metrics"] = engagement.post_metrics(posts, row["followers"] or 0) if posts else {}
            body["recent_posts"] = [_post(post, row["followers"] or 0) for post in posts]
        return body

    def youtube(self, channel_id: str, *, force: bool) -> dict[str, object]:
        """Channel as last known. Raises ProfileError."""
        row = self._first(self.catalogue.channels([channel_id]))
        if row is None:
            raise ProfileError(f"Profile not found - {channel_id}", 404)
        if force:
            self._scrape(Scrapes.CHANNELS, {"channel_ids": [channel_id]}, channel_id)
            row = self._first(self.catalogue.channels([channel_id]))
        names = ("channel_id", "title", "subscribers", "uploads", "views", "thumbnail")
        return {"platform": "youtube", **{name: row[name] for name in names}}

    def _scrape(self, kind: Scrapes, params: dict[str, object], name: str) -> None:
        findings = scraping.scrape(kind, {0: params}, self.catalogue)
        if findings.failures:
            raise ProfileError(f"Profile not found - {name}", 404)
        with self.ledger.transaction():
            self.ledger.emit(findings.messages[0])
        scraping.take_over(findings, self.catalogue)

    @staticmethod
    def _first(rows: list[Row]) -> Row | None:
        return rows[0] if rows else None


def _stale(updated_at: datetime | None) -> bool:
    return updated_at is None or datetime.now(UTC) - updated_at.replace(tzinfo=UTC) > STALE_AFTER


def _post(post: Row, followers: int) -> dict[str, object]:
    return {
        "shortcode": post["shortcode"],
        "post_id": post["post_id"],
        "post_type": post["post_type"],
        "post_url": f"https://www.instagram.com/p/{post['shortcode']}/",
        "publish_time": post["publish_time"].isoformat(),
        "updated_at": post["updated_at"].isoformat(),
        "metrics": {
            "reach": engagement.reach(post, followers),
            "views": None,
            "likes": post["likes"],
            "comments": post["comments"],
            "play_count": post["plays"],
            "engagement_rate": engagement.engagement_rate(post, followers),
        },
        "dimensions": {
            "caption": post["caption"],
            "comments": post["comments"],
            "thumbnail_url": post["thumbnail_url"],
            "display_url": post["display_url"],
        },
    }
