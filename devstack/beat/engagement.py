"""Averages over an account's recent posts, as the profile endpoint reports them (spec/scrape_flows.md, 2.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from devstack.beat.replica import Row

RECENT = 12
TRIMMED_FROM = 5  # groups of this size or more lose their two best and two worst posts
STILL_TYPES = ("image", "carousel")


def recent_posts(posts: Sequence[Row]) -> list[Row]:
    """Up to 12 reels, then up to 12 others, each newest first; `posts` are newest first."""
    reels = [post for post in posts if post["post_type"] == "reels"][:RECENT]
    still = [post for post in posts if post["post_type"] in STILL_TYPES][:RECENT]
    return reels + still


def post_metrics(posts: Sequence[Row], followers: int) -> dict[str, dict[str, float]]:
    """Object `post_metrics` for the recent posts of a profile."""
    newest = sorted(posts, key=lambda post: post["publish_time"], reverse=True)[:RECENT]
    groups = {
        "static": _group([post for post in posts if post["post_type"] in STILL_TYPES], followers, reach=True),
        "reels": _group([post for post in posts if post["post_type"] == "reels"], followers, reach=True, plays=True),
        "all": _group(newest, followers),
    }
    engagement = (groups["reels"] or groups["all"]).get("avg_engagement", 0.0)
    return groups | {"story": {"avg_reach": _story_reach(followers, engagement)}}


def engagement_rate(post: Row, followers: int) -> float:
    """Likes and comments in percent of the followers, two decimals."""
    return round(100 * _reactions(post) / followers, 2) if followers else 0.0


def reach(post: Row, followers: int) -> int:
    """Estimated reach of a post; 0 where there is nothing to estimate from."""
    if post["post_type"] == "reels":
        plays = post["plays"] or 0
        return int(plays * (0.94 - 0.001 * math.log2(followers))) if plays and followers else 0
    likes = post["likes"] or 0
    return int(likes * 0.85 * (7.6 - 0.7 * math.log10(likes))) if likes else 0


def _group(posts: Sequence[Row], followers: int, *, reach: bool = False, plays: bool = False) -> dict[str, float]:
    if not posts or not followers:
        return {}
    kept = list(posts)
    if len(kept) >= TRIMMED_FROM:
        kept = sorted(kept, key=lambda post: post["plays" if plays else "likes"] or 0)[2:-2]
    count = len(kept)
    averages = {
        "avg_engagement": 100 * sum(_reactions(post) for post in kept) / (followers * count),
        "avg_likes": sum(post["likes"] or 0 for post in kept) / count,
        "avg_comments": sum(post["comments"] or 0 for post in kept) / count,
    }
    if reach:
        averages["avg_reach"] = sum(_reach_of(post, followers) for post in kept) / count
    if plays:
        averages["avg_plays"] = sum(post["plays"] or 0 for post in kept) / count
    return averages


def _reactions(post: Row) -> int:
    return (post["likes"] or 0) + (post["comments"] or 0)


_reach_of = reach


def _story_reach(followers: int, engagement: float) -> float:
    if not engagement:
        return 0.0
    return float(round(followers * 1.11 * abs(math.log2(engagement + 2)) * 0.02 - 0.000025017 * followers))
