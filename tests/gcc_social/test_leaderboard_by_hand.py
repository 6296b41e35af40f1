"""The whole leaderboard chain on ten accounts and three months, with every expected number worked out by hand.

id   category  language  followers in March, April, May 2026
1    Music     hi        100  100  120   linked to UC1
2    Music     hi        100  110  110   ties with 1 in March
3    Music     ta         90   90    -
4    Comedy    hi         50    -   70   no snapshot in April
5    -         hi         40   40   40
6    -         ta         40   30   20   BRAND, ties with 5 in March
7    Music     hi        500  500  500   not Indian
8    Music     hi          0    5    6   nobody followed it in March
UC1  Music     hi       1000 1010 1000   lifetime views 10000 10500 11500
UC2  -         -         500  500  520   lifetime views   100   100   180
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.gcc_social.conftest import RUN_TIME, Warehouse

pytestmark = pytest.mark.integration

MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)

# The last second of two months and the first of another: the month is that of the event, in UTC.
MOMENTS = (datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC),
           datetime(2026, 5, 1, tzinfo=UTC))  # fmt: skip

PROFILES = {
    "1": ("hi", "IN", None, (100, 100, 120)),
    "2": ("hi", "IN", None, (100, 110, 110)),
    "3": ("ta", "IN", None, (90, 90, None)),
    "4": ("hi", "IN", None, (50, None, 70)),
    "5": ("hi", "IN", None, (40, 40, 40)),
    "6": ("ta", "IN", "BRAND", (40, 30, 20)),
    "7": ("hi", "US", None, (500, 500, 500)),
    "8": ("hi", "IN", None, (0, 5, 6)),
}
CHANNELS = {
    "UC1": ("hi", ((1000, 10000), (1010, 10500), (1000, 11500))),
    "UC2": (None, ((500, 100), (500, 100), (520, 180))),
}


@pytest.fixture(scope="module")
def built(warehouse_server: Warehouse) -> Warehouse:
    warehouse = warehouse_server
    warehouse.empty()
    insert_accounts(warehouse)
    insert_events(warehouse)
    insert_posts(warehouse)
    warehouse.dbt("build", "--select", "+mart_leaderboard", "--exclude-resource-type", "unit_test")
    return warehouse


def insert_accounts(warehouse: Warehouse) -> None:
    warehouse.insert(
        "beat_replica.instagram_account",
        ["id", "profile_id", "handle", "followers", "country", "language", "account_type", "updated_at"],
        [
            [number, profile, f"handle_{profile}", followers[-1] or 1, country, language, kind, RUN_TIME]
            for number, (profile, (language, country, kind, followers)) in enumerate(PROFILES.items())
        ],
    )
    warehouse.insert(
        "beat_replica.youtube_account",
        ["id", "channel_id", "title", "subscribers", "country", "language", "updated_at"],
        [
            [number, channel, channel, months[-1][0], "India", language, RUN_TIME]
            for number, (channel, (language, months)) in enumerate(CHANNELS.items())
        ],
    )
    warehouse.insert("vidooly.category", ["id", "category"], [[1, "Music"], [2, "Comedy"]])
    categories = [("1", "UC1", "1"), ("1", "UC1", "1"), ("2", "", "1"), ("3", "", "1"), ("4", "", "2"), ("7", "", "1"),
                  ("8", "", "1")]  # fmt: skip
    warehouse.insert(
        "vidooly.social_profiles_new_20230217", ["instagram_userid", "youtube_userid", "ccatid"], categories
    )


def insert_events(warehouse: Warehouse) -> None:
    events = []
    for profile, (*_, followers) in PROFILES.items():
        for moment, count in zip(MOMENTS, followers, strict=True):
            if count is not None:
                events.append(["INSTAGRAM", profile, moment, f'{{"followers": {count}}}'])
    for channel, (_, months) in CHANNELS.items():
        for moment, (subscribers, views) in zip(MOMENTS, months, strict=True):
            metrics = f'{{"subscriber_count": {subscribers}, "view_count": {views}, "video_count": 7}}'
            events.append(["YOUTUBE", channel, moment, metrics])
    warehouse.insert(
        "_e.profile_log_events",
        ["event_id", "source", "platform", "profile_id", "handle", "event_timestamp", "insert_timestamp", "metrics",
         "dimensions"],
        [
            [f"event-{number}", "provider", platform, account, account, moment, RUN_TIME, metrics, "{}"]
            for number, (platform, account, moment, metrics) in enumerate(events)
        ],
    )  # fmt: skip


def insert_posts(warehouse: Warehouse) -> None:
    may = datetime(2026, 5, 20, tzinfo=UTC)
    posts = [
        ["1", "reels", may, 50, 5, 1],
        ["2", "reels", may, 30, 10, 1],
        ["2", "reels", may, 20, 12, 1],
        ["4", "reels", datetime(2026, 4, 20, tzinfo=UTC), 10, 1, 0],  # 4 has no row in April
        ["5", "image", may, None, 8, 0],
    ]
    warehouse.insert(
        "beat_replica.instagram_post_simple",
        ["id", "shortcode", "updated_at", "profile_id", "post_type", "publish_time", "plays", "likes", "comments"],
        [[number, f"post{number}", RUN_TIME, *post] for number, post in enumerate(posts, start=1)],
    )


def by_account(warehouse: Warehouse, platform: str, month: date, columns: str) -> dict[str, tuple]:
    rows = warehouse.rows(
        f"select platform_id, {columns} from dbt.mart_leaderboard where platform = '{platform}' and month = '{month}'"
    )
    return {account: tuple(values) for account, *values in rows}


def places(warehouse: Warehouse, platform: str, month: date, rank: str) -> dict[str, tuple[int, int]]:
    """(place now, place in the month before) by account; 0 for none."""
    return by_account(warehouse, platform, month, f"current_month_ranks['{rank}'], last_month_ranks['{rank}']")


def test_instagram_followers(built: Warehouse) -> None:
    assert places(built, "INSTAGRAM", MARCH, "followers_rank") == {
        "2": (1, 0), "1": (2, 0), "3": (3, 0), "4": (4, 0), "6": (5, 0), "5": (6, 0),
    }  # fmt: skip
    assert places(built, "INSTAGRAM", APRIL, "followers_rank") == {
        "2": (1, 1), "1": (2, 2), "3": (3, 3), "5": (4, 6), "6": (5, 5),
    }  # fmt: skip
    assert places(built, "INSTAGRAM", MAY, "followers_rank") == {
        "1": (1, 2), "2": (2, 1), "4": (3, 0), "5": (4, 4), "6": (5, 5), "8": (6, 0),
    }  # fmt: skip


def test_instagram_change(built: Warehouse) -> None:
    """Nobody has a change in March; 4 has none in May, because its April is unknown."""
    assert set(by_account(built, "INSTAGRAM", MARCH, "followers_change, prev_followers").values()) == {(None, None)}
    assert by_account(built, "INSTAGRAM", MAY, "followers_change, prev_followers") == {
        "1": (20, 100), "2": (0, 110), "4": (None, None), "5": (0, 40), "6": (-10, 30), "8": (1, 5),
    }  # fmt: skip
    assert places(built, "INSTAGRAM", APRIL, "followers_change_rank") == {
        "2": (1, 5), "5": (2, 2), "3": (3, 4), "1": (4, 6), "6": (5, 1),
    }  # fmt: skip
    assert places(built, "INSTAGRAM", MAY, "followers_change_rank") == {
        "1": (1, 4), "8": (2, 0), "5": (3, 2), "2": (4, 1), "6": (5, 5), "4": (6, 0),
    }  # fmt: skip


def test_instagram_plays_and_engagement(built: Warehouse) -> None:
    """1 and 2 tie at 50 plays; no plays at all rank last, by id."""
    assert places(built, "INSTAGRAM", MAY, "plays_rank") == {
        "2": (1, 4), "1": (2, 5), "8": (3, 0), "6": (4, 1), "5": (5, 2), "4": (6, 0),
    }  # fmt: skip
    columns = "uploads, plays, ia_views, likes, engagement, avg_plays, round(engagement_rate, 6)"
    may = by_account(built, "INSTAGRAM", MAY, columns)
    assert may["2"] == (2, 50, 50, 22, 24, 25.0, 0.109091)
    assert may["5"] == (1, None, None, 8, 8, None, 0.2)
    assert may["6"] == (0, None, None, None, None, None, None)


def test_instagram_finer_boards_in_may(built: Warehouse) -> None:
    """Accounts without category are a board of their own."""
    boards = ["_by_cat", "_by_lang", "_by_cat_lang", "_by_profile", "_by_cat_profile", "_by_lang_profile"]
    found = {board: places(built, "INSTAGRAM", MAY, f"followers_rank{board}") for board in boards}
    now = {board: {account: place for account, (place, _) in ranks.items()} for board, ranks in found.items()}
    assert now == {
        "_by_cat": {"1": 1, "2": 2, "8": 3, "4": 1, "5": 1, "6": 2},
        "_by_lang": {"1": 1, "2": 2, "4": 3, "5": 4, "8": 5, "6": 1},
        "_by_cat_lang": {"1": 1, "2": 2, "8": 3, "4": 1, "5": 1, "6": 1},
        "_by_profile": {"1": 1, "2": 2, "4": 3, "5": 4, "8": 5, "6": 1},
        "_by_cat_profile": {"1": 1, "2": 2, "8": 3, "4": 1, "5": 1, "6": 1},
        "_by_lang_profile": {"1": 1, "2": 2, "4": 3, "5": 4, "8": 5, "6": 1},
    }
    assert found["_by_cat"]["6"] == (2, 2)  # April: 5 with 40, 6 with 30


def test_youtube(built: Warehouse) -> None:
    """UC2 gained no views in April, so it is only on May's board."""
    assert by_account(built, "YOUTUBE", MARCH, "views") == {}
    columns = "followers, followers_change, views, prev_views, yt_views, plays, current_month_ranks['plays_rank']"
    assert by_account(built, "YOUTUBE", APRIL, columns) == {"UC1": (1010, 10, 500, None, 500, 0, 0)}
    assert by_account(built, "YOUTUBE", MAY, columns) == {
        "UC1": (1000, -10, 1000, 500, 1000, 0, 0),
        "UC2": (520, 20, 80, 0, 80, 0, 0),
    }
    assert places(built, "YOUTUBE", MAY, "followers_rank") == {"UC1": (1, 1), "UC2": (2, 0)}
    assert places(built, "YOUTUBE", MAY, "followers_change_rank") == {"UC2": (1, 0), "UC1": (2, 1)}
    assert places(built, "YOUTUBE", MAY, "views_rank") == {"UC1": (1, 1), "UC2": (2, 0)}


def test_both_platforms_together(built: Warehouse) -> None:
    """1 and UC1 are one creator, also in March, when UC1 is on no board because its gains are unknown."""
    columns = "profile_platform, followers, followers_change, views, prev_views, ia_views, yt_views"
    march = by_account(built, "ALL", MARCH, columns)
    assert march["1"] == ("IA", 1100, None, None, None, 0, None)
    assert "UC2" not in march
    may = by_account(built, "ALL", MAY, columns)
    assert may["1"] == ("IA", 1120, 10, 1050, 500, 50, 1000)
    assert may["UC2"] == ("YA", 520, 20, 80, 0, 0, 80)
    assert "UC1" not in may
    assert places(built, "ALL", APRIL, "followers_change_rank") == {
        "2": (1, 5), "1": (2, 6), "5": (3, 2), "3": (4, 4), "6": (5, 1),
    }  # fmt: skip
    assert places(built, "ALL", MAY, "followers_rank") == {
        "1": (1, 1), "UC2": (2, 0), "2": (3, 2), "4": (4, 0), "5": (5, 4), "6": (6, 5), "8": (7, 0),
    }  # fmt: skip
    assert places(built, "ALL", MAY, "views_rank") == {
        "1": (1, 1), "UC2": (2, 0), "2": (3, 5), "8": (4, 0), "6": (5, 2), "5": (6, 3), "4": (7, 0),
    }  # fmt: skip
