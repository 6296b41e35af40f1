"""The account marts computed a second time in plain Python.

Groups, their metrics and the grades follow from the rows of the ungraded stage; followers, averages, sums of 30 days
and growth follow from source rows. No expression is shared with the SQL; both follow the models' descriptions.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.gcc_social.leaderboard_accounts import EARLIEST, Row, grouped, newest, source_rows
from tests.gcc_social.leaderboard_recomputed import INDIAN_OFFSET, UNKNOWN_TIME, profile_days
from tests.gcc_social.time_series_recomputed import estimates

CLASSES = ["0-5k", "5k-10k", "10k-50k", "50k-100k", "100k-500k", "500k-1M", "1M+"]
CLASS_LIMITS = [5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000]
LABELS = ["Nano", "Micro", "Macro", "Mega"]
LABEL_LIMITS = [1_000, 75_000, 1_000_000]
GRADES = ["Poor", "Average", "Good", "Very Good", "Excellent"]
PERCENTS = [40, 60, 75, 90]
BASELINE_SLACK = {"7d": 7, "30d": 28, "90d": 28, "1y": 28}
NEWEST_POSTS = 12

GRADED = {
    "INSTAGRAM": [
        "avg_likes", "avg_comments", "comments_rate", "followers", "engagement_rate", "reels_reach", "image_reach",
        "story_reach", "reels_impressions", "image_impressions", "likes_to_comment_ratio", "followers_growth7d",
        "followers_growth30d", "followers_growth90d", "audience_reachability", "audience_authencity", "post_count",
        "likes_spread", "avg_posts_per_week",
    ],
    "YOUTUBE": [
        "avg_likes", "avg_comments", "comments_rate", "followers", "engagement_rate", "likes_to_comment_ratio",
        "followers_growth7d", "followers_growth30d", "uploads_30d", "views_30d", "followers_growth90d",
        "followers_growth1y", "audience_reachability", "audience_authencity", "audience_quality", "post_count",
        "likes_spread", "avg_posts_per_week", "shorts_reach", "video_reach",
    ],
}  # fmt: skip
MEASURED = sorted({*GRADED["INSTAGRAM"], *GRADED["YOUTUBE"]})


# --- groups and grades ------------------------------------------------------------------------------------------------


def follower_class(followers: int | None) -> str | None:
    return None if followers is None else CLASSES[bisect_right(CLASS_LIMITS, followers)]


def label(followers: int | None) -> str | None:
    return None if followers is None else LABELS[bisect_right(LABEL_LIMITS, followers)]


def group_keys(platform: str, row: Row) -> tuple[str | None, str | None]:
    """Primary and secondary group of an account."""
    size = follower_class(row["followers"])
    if platform == "INSTAGRAM":
        parts = [row["country"] or "MISSING", row["primary_category"] or "MISSING", size]
        prefix = "INSTA"
    else:
        parts = [row["country"], row["category"], size]
        prefix = "YT"

    def joined(*segments: str | None) -> str | None:
        return None if None in segments else "_".join([prefix, *segments])

    return joined(*parts), joined(parts[0], size)


def places(rows: dict[str, Row], columns: list[str]) -> dict[str, int | None]:
    """Rank by followers among the accounts that share the columns; higher ids first among equals."""
    boards: dict[tuple, list[tuple[int, str]]] = defaultdict(list)
    for key, row in rows.items():
        board = tuple(row[column] for column in columns)
        if None not in board and row["followers"] is not None:
            boards[board].append((row["followers"], key))
    ranks: dict[str, int | None] = dict.fromkeys(rows)
    for members in boards.values():
        for place, (_, key) in enumerate(sorted(members, reverse=True), 1):
            ranks[key] = place
    return ranks


def percentile(ordered: list[float], percent: float) -> float:
    """Interpolated between the two nearest of the ordered values."""
    place = percent / 100 * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def group_metrics(instagram: Iterable[Row], youtube: Iterable[Row], minimum: int) -> dict[str, Row]:
    """The rows of mart_primary_group_metrics by group_key."""
    members: dict[str, list[Row]] = defaultdict(list)
    for platform, rows in (("INSTAGRAM", instagram), ("YOUTUBE", youtube)):
        for row in rows:
            for key in group_keys(platform, row):
                if key is not None:
                    members[key].append(row)
    return {key: _group(key, rows) for key, rows in members.items() if len(rows) > minimum}


def _group(key: str, rows: list[Row]) -> Row:
    group: Row = {"group_key": key, "profiles": len(rows), "group_avg_reaction_rate": None}
    for metric in MEASURED:
        positive = sorted(float(row[metric]) for row in rows if row[metric] is not None and row[metric] > 0)
        below_limit = [value for value in positive if value < 1e10]
        for percent in PERCENTS:
            group[f"p{percent}_{metric}"] = percentile(positive, percent) if positive else None
        group[f"group_avg_{metric}"] = math.fsum(below_limit) / len(below_limit) if below_limit else None
    rates = sorted(row["engagement_rate"] for row in rows if row["engagement_rate"] and row["engagement_rate"] <= 1000)
    return group | histogram(rates)


def histogram(rates: list[float]) -> Row:
    """Seven equal bins up to the 95th percentile and the rest."""
    if not rates:
        return {"er_histogram": [], "bin_start": [], "bin_end": [], "bin_height": []}
    top = percentile(rates, 95)
    edges = [top * step / 7 for step in range(7)] + [top]
    heights = [0.0] * 8
    for rate in rates:
        heights[7 if rate >= top else bisect_right(edges, rate) - 1] += 1
    return {
        "er_histogram": list(zip(edges[:7], edges[1:], heights[:7], strict=True)),
        "bin_start": edges,
        "bin_end": [*edges[1:], rates[-1]],
        "bin_height": heights,
    }


def grade(value: float | None, group: Row | None, metric: str) -> str | None:
    if not value or not math.isfinite(value) or group is None or group[f"p40_{metric}"] is None:
        return None
    return GRADES[sum(value > group[f"p{percent}_{metric}"] for percent in PERCENTS)]


def graded(platform: str, row: Row, groups: dict[str, Row]) -> Row:
    """What the graded mart adds to a row of the ungraded stage."""
    primary, secondary = group_keys(platform, row)
    key = primary if primary in groups else secondary
    group = groups.get(key or "")
    added: Row = {"group_key": key, "primary_group": primary, "secondary_group": secondary}
    added["label"] = label(row["followers"])
    for metric in GRADED[platform]:
        added[f"{metric}_grade"] = grade(row[metric], group, metric)
        added[f"group_avg_{metric}"] = group and group[f"group_avg_{metric}"]
        if platform == "YOUTUBE":
            added[f"{metric}_score"] = row[metric]
    return added | ({"er_grade": added["engagement_rate_grade"]} if platform == "INSTAGRAM" else quality(added))


def quality(added: Row) -> Row:
    """Ratings and quality of a channel."""
    weights = {"views_30d": 0.5, "followers_growth30d": 0.25, "uploads_30d": 0.25}
    ratings = {
        metric: 1 + GRADES.index(added[f"{metric}_grade"]) if added[f"{metric}_grade"] else 0 for metric in weights
    }
    mean = sum(weight * ratings[metric] for metric, weight in weights.items())
    return {f"{metric}_rating": rating for metric, rating in ratings.items()} | {
        "channel_quality_score": 19 * mean if mean else None,
        "channel_quality_grade": GRADES[max(round(mean), 1) - 1] if mean else None,
    }


# --- Instagram metrics from source rows -------------------------------------------------------------------------------


def instagram_metrics(client: Client, now: datetime) -> dict[str, Row]:
    """Followers, averages, sums of 30 days and growth by Instagram user id."""
    scraped = grouped(source_rows(client, "beat_replica.instagram_account"), "profile_id")
    posts = posts_by_owner(client)
    readings = weekly_readings(client)
    pace = posts_per_week(client)
    metrics = {}
    for profile, rows in scraped.items():
        account = newest(rows)
        own = posts.get(profile, [])
        metrics[profile] = (
            {
                "followers": account["followers"],
                "following": account["following"],
                "post_count": account["media_count"],
                "avg_posts_per_week": pace.get(profile),
            }
            | averages(own, account["followers"], account["media_count"])
            | developments(readings.get(profile, {}), own, account["followers"], now.date())
        )
    return metrics


def posts_by_owner(client: Client) -> dict[str, list[Row]]:
    """The newest version of each post of both feeds, without stories, by owner."""
    old = [
        (0, EARLIEST, 0, post | {"publish_time": post["publish_time"] and post["publish_time"] - INDIAN_OFFSET})
        for post in source_rows(client, "vidooly.instagram_posts_historical_cleaned_v2")
    ]
    current = [
        (1, post["updated_at"] or post["created_at"] or EARLIEST, post["id"], post)
        for post in source_rows(client, "beat_replica.instagram_post_simple")
        if post["post_type"] is not None
    ]
    versions: dict[str, Row] = {}
    for *_, post in sorted([*old, *current], key=lambda version: version[:3]):
        if post["shortcode"] and post["post_type"] != "story":
            owner = post["profile_id"] or versions.get(post["shortcode"], {}).get("profile_id")
            published = post["publish_time"] or UNKNOWN_TIME
            versions[post["shortcode"]] = post | {"profile_id": owner, "publish_time": published}
    return grouped(versions.values(), "profile_id")


def averages(posts: list[Row], followers: int | None, media_count: int | None) -> Row:
    """Averages over the newest posts, without outliers where there are enough."""
    by_age = sorted(posts, key=lambda post: (post["publish_time"], post["shortcode"]), reverse=True)
    recent = by_age[:NEWEST_POSTS]
    reels = [post for post in by_age if post["post_type"] == "reels"][:NEWEST_POSTS]
    kept = trimmed(recent, ["likes", "comments"])
    kept_reels = trimmed(reels, ["plays", "likes", "comments"])

    def engagement(post: Row) -> int | None:
        return None if post["likes"] is None or post["comments"] is None else post["likes"] + post["comments"]

    def per_follower(number: float | None) -> float | None:
        return number / followers if number is not None and followers else None

    def reach(post: Row) -> float | None:
        return estimated("reach", post, followers)

    likes_of, comments_of, plays_of = itemgetter("likes"), itemgetter("comments"), itemgetter("plays")
    both = {
        "avg_likes": (mean(kept, likes_of), mean(recent, likes_of)),
        "avg_comments": (mean(kept, comments_of), mean(recent, comments_of)),
        "avg_reels_play_count": (mean(kept_reels, plays_of), mean(reels, plays_of)),
        # Without outliers likes and comments are added up apart, so a post with hidden likes adds its comments.
        "engagement_rate": (
            per_follower(total(mean(kept, likes_of), mean(kept, comments_of))),
            per_follower(mean(recent, engagement)),
        ),
        "avg_reach": (mean(kept, reach), mean(recent, reach)),
    }
    found = {name: 0 if media_count == 0 else typical or plain for name, (typical, plain) in both.items()}
    likes, comments = found["avg_likes"], found["avg_comments"]
    return found | {
        "avg_views": found["avg_reels_play_count"],
        "likes_to_comment_ratio": likes / comments if likes is not None and comments else None,
        "comments_rate": 100 * comments / followers if comments is not None and followers else None,
    }


def trimmed(posts: list[Row], columns: list[str]) -> list[Row]:
    """Without the two best and the two worst by the columns; none of fewer than five."""

    def order(post: Row) -> tuple:
        counters = [(post[column] is not None, post[column] or 0) for column in columns]
        return (*counters, post["publish_time"], post["shortcode"])

    return sorted(posts, key=order, reverse=True)[2:-2]


def mean(posts: list[Row], value: Callable[[Row], float | None]) -> float | None:
    """Sum of the known values per post; None when none is known."""
    values = [found for found in map(value, posts) if found is not None]
    return sum(values) / len(posts) if values else None


def total(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def estimated(name: str, post: Row, followers: int | None) -> float | None:
    """Estimated reach or impressions, cut after six decimals, as they are added up."""
    found = estimates(post, followers)[name]
    return None if found is None else math.floor(found * 1e6) / 1e6


def sunday(day: date) -> date:
    return day - timedelta(days=(day.weekday() + 1) % 7)


def weekly_readings(client: Client) -> dict[str, dict[date, int]]:
    """Followers at the last reading of each week by profile. The dumps are years too old to matter here."""
    weeks: dict[str, dict[date, int]] = defaultdict(dict)
    days = profile_days(source_rows(client, "_e.profile_log_events"))
    for (platform, profile, day), seen in sorted(days.items(), key=lambda item: item[0][2]):
        if platform == "INSTAGRAM" and seen.followers is not None:
            weeks[profile][sunday(day)] = seen.followers
    return weeks


def developments(weeks: dict[date, int], posts: list[Row], followers: int | None, today: date) -> Row:
    """Growth from the weeks in which the followers of the profile were read, and sums of 30 days from its posts."""
    this_week = sunday(today)
    past = {week: reading for week, reading in weeks.items() if week <= this_week}
    found: Row = {}
    for name, start in (
        ("7d", this_week - timedelta(days=7)),
        ("30d", this_week - timedelta(days=30)),
        ("90d", this_week - timedelta(days=90)),
        ("1y", this_week.replace(year=this_week.year - 1)),
    ):
        within = [week for week in past if week >= start]
        before = [week for week in past if start - timedelta(days=BASELINE_SLACK[name]) <= week < start]
        found[f"followers_growth{name}"] = past[max(within)] - past[max(before)] if within and before else None
    first_day, last_day = this_week - timedelta(weeks=4), this_week + timedelta(days=6)
    chosen = [post for post in posts if first_day <= post["publish_time"].date() <= last_day]
    plays = sum(post["plays"] or 0 for post in chosen)
    known = bool(chosen) or any(week >= first_day for week in past)
    found["uploads_30d"] = len(chosen) if known else None
    found["plays_30d"] = found["views_30d"] = plays if known else None
    found["avg_reels_play_30d"] = plays / 5 * 4 if known else None
    for name in ("reach", "impressions"):
        sums = math.fsum(estimated(name, post, followers) or 0 for post in chosen)
        found[f"{name}_30d"] = sums if known else None
    return found


def posts_per_week(client: Client) -> dict[str, float]:
    """Posts and stories per week, over the weeks that have any."""
    weeks: dict[str, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
    for post in source_rows(client, "beat_replica.instagram_post_simple"):
        if post["profile_id"] and post["shortcode"] and post["publish_time"]:
            weeks[post["profile_id"]][sunday(post["publish_time"].date())].add(post["shortcode"])
    return {profile: sum(map(len, found.values())) / len(found) for profile, found in weeks.items()}


# --- comparison -------------------------------------------------------------------------------------------------------


def same(value: Any, expected: Any) -> bool:
    if isinstance(value, list | tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(value, float) or isinstance(expected, float):
        return None not in (value, expected) and math.isclose(value, expected, rel_tol=1e-8)
    return value == expected


def differences(rows: dict[str, Row], expected: dict[str, Row]) -> list[str]:
    """What differs in the expected columns, account by account."""
    return [
        f"{key} {column}: {rows[key][column]!r}, expected {value!r}"
        for key, wanted in expected.items()
        for column, value in wanted.items()
        if not same(rows[key][column], value)
    ]
