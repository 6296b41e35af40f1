"""The 47 flows: what parameters each takes, how long it runs, and what it scrapes (spec/scrape_flows.md, 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scrapes(StrEnum):
    """What a finished request publishes and updates."""

    PROFILES = "profiles"  # Instagram profiles and their recent posts
    POSTS = "posts"
    CHANNELS = "channels"
    VIDEOS = "videos"
    STORIES = "stories"
    POST_INSIGHTS = "post insights"
    PROFILE_INSIGHTS = "profile insights"
    CHANNEL_INSIGHTS = "channel insights"
    ANSWERS = "answers"  # of the language model
    FOLLOWERS = "followers"
    FOLLOWING = "following"
    COMMENTS = "comments"
    LIKES = "likes"
    SUBSCRIPTIONS = "subscriptions"
    ACTIVITIES = "activities"
    ORDERS = "orders"
    PICTURES = "pictures"
    POST_TYPES = "post types"
    NOTHING = "nothing"  # files, or events that this simulator does not imitate


@dataclass(frozen=True)
class Flow:
    """Parameters by name, and the usual running time in seconds."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    scrapes: Scrapes = Scrapes.NOTHING
    seconds: tuple[float, float] = (1, 20)
    entity: str = ""  # the parameter that names what is scraped
    processes: int = field(default=1, compare=False)

    def misfit(self, name: str, params: Mapping[str, object]) -> str | None:
        """What Python would say about parameters that do not fit; None when they do."""
        for parameter in params:
            if parameter not in self.required and parameter not in self.optional:
                return f"{name}() got an unexpected keyword argument '{parameter}'"
        missing = [parameter for parameter in self.required if parameter not in params]
        if missing:
            named = " and ".join(f"'{parameter}'" for parameter in missing)
            plural = "s" if len(missing) > 1 else ""
            return f"{name}() missing {len(missing)} required positional argument{plural}: {named}"
        return None


_SLOW, _CSV = (300, 900), (60, 180)
_CHANNEL_LIST = ("channel_ids", "channel_ids_path")
_STORY_FIGURES = ("story_ids", "profile_follower", "profile_er", "profile_static_er", "profile_reels_er")
_ASSET = ("entity_type", "entity_id", "asset_type", "original_url", "platform", "hash")

FLOWS: dict[str, Flow] = {
    # Instagram
    "refresh_profile_by_handle": Flow(("handle",), scrapes=Scrapes.PROFILES, entity="handle", processes=10),
    "refresh_profile_by_profile_id": Flow(("profile_id",), scrapes=Scrapes.PROFILES, entity="profile_id"),
    "refresh_profile_basic": Flow(("profile_id", "handle"), scrapes=Scrapes.PROFILES, entity="handle", processes=5),
    "refresh_profile_custom": Flow(("profile_id", "handle", "max_posts"), scrapes=Scrapes.PROFILES, entity="handle"),
    "refresh_post_by_shortcode": Flow(("shortcode",), scrapes=Scrapes.POSTS, entity="shortcode"),
    "refresh_tagged_posts_by_profile_id": Flow(("profile_id", "max_posts")),
    "fetch_hashtag_posts": Flow(("hashtag", "max_posts"), ("cursor",), seconds=_SLOW),
    "refresh_stories_posts": Flow(("handle",), scrapes=Scrapes.STORIES),
    "refresh_story_posts_by_profile_id": Flow(("profile_id", "handle"), _STORY_FIGURES, scrapes=Scrapes.STORIES),
    "refresh_story_insights": Flow(("story_id", "shortcode", "profile_id", "handle"), scrapes=Scrapes.POST_INSIGHTS),
    "refresh_post_insights": Flow(("shortcode", "handle", "post_id", "post_type"), scrapes=Scrapes.POST_INSIGHTS),
    "refresh_profile_insights": Flow(("handle",), scrapes=Scrapes.PROFILE_INSIGHTS),
    "fetch_profile_followers": Flow(("profile_id",), seconds=_SLOW, processes=3, scrapes=Scrapes.FOLLOWERS),
    "fetch_profile_following": Flow(("profile_id",), ("cursor",), seconds=_SLOW, scrapes=Scrapes.FOLLOWING),
    "fetch_post_comments": Flow(("shortcode", "max_comments"), ("cursor",), scrapes=Scrapes.COMMENTS),
    "fetch_post_likes": Flow(("shortcode",), ("max_likes", "cursor"), scrapes=Scrapes.LIKES),
    # YouTube
    "refresh_yt_profiles": Flow(("channel_ids",), scrapes=Scrapes.CHANNELS, entity="channel_ids", processes=10),
    "refresh_yt_posts": Flow(
        ("post_ids",), ("playlist_id", "category", "topic"), scrapes=Scrapes.VIDEOS, entity="post_ids"
    ),
    "refresh_yt_posts_by_channel_id": Flow(
        ("channel_id",), ("filter", "max_posts"), scrapes=Scrapes.VIDEOS, entity="channel_id", processes=5
    ),
    "refresh_yt_posts_by_playlist_id": Flow(
        ("channel_id",), ("max_posts",), scrapes=Scrapes.VIDEOS, entity="channel_id"
    ),
    "refresh_yt_posts_by_genre": Flow(("category", "language")),
    "refresh_yt_posts_by_search": Flow(
        ("job_id", "keywords", "start_date", "end_date"), ("categorization", "frequency"), seconds=_CSV
    ),
    "refresh_yt_post_type": Flow(("post_id",), scrapes=Scrapes.POST_TYPES),
    "refresh_yt_profile_insights": Flow(("channel_id",), scrapes=Scrapes.CHANNEL_INSIGHTS),
    "fetch_yt_post_comments": Flow(("shortcode", "max_comments"), ("cursor",), scrapes=Scrapes.COMMENTS),
    "refresh_yt_activities": Flow(("channel_id",), ("max_activities",), scrapes=Scrapes.ACTIVITIES),
    "refresh_yt_profile_relationship": Flow(("channel_id",), ("max_relationship",), scrapes=Scrapes.SUBSCRIPTIONS),
    "fetch_channels_csv": Flow((), _CHANNEL_LIST, seconds=_CSV),
    "fetch_channel_videos_csv": Flow(("start_date", "end_date"), _CHANNEL_LIST, seconds=_CSV),
    "fetch_playlist_videos_csv": Flow((), ("playlist_ids", "playlist_ids_path"), seconds=_CSV),
    "fetch_keyword_videos_csv": Flow(
        ("start_date", "end_date"), ("keywords", "keywords_list_path", "frequency"), seconds=_CSV
    ),
    "fetch_video_details_csv": Flow((), ("video_ids", "video_ids_path"), seconds=_CSV),
    "fetch_channel_monthly_stats_csv": Flow(("start_date", "end_date"), _CHANNEL_LIST, seconds=_CSV),
    "fetch_channel_daily_stats_csv": Flow(("start_date", "end_date"), _CHANNEL_LIST, seconds=_CSV),
    "fetch_channel_demographic_csv": Flow((), _CHANNEL_LIST, seconds=_CSV),
    "fetch_channel_audience_geography_csv": Flow((), _CHANNEL_LIST, seconds=_CSV),
    "fetch_channel_engagement_csv": Flow(("start_date", "end_date", "filter_by"), _CHANNEL_LIST, seconds=_CSV),
    "fetch_ad_vs_organic_csv": Flow((), ("video_ids", "video_ids_path"), seconds=_CSV),
    # enrichment
    "refresh_instagram_gpt_data_base_gender": Flow(("data",), processes=3, scrapes=Scrapes.ANSWERS),
    "refresh_instagram_gpt_data_base_location": Flow(("data",), processes=3, scrapes=Scrapes.ANSWERS),
    "refresh_instagram_gpt_data_base_categ_lang_topics": Flow(("data",), processes=3, scrapes=Scrapes.ANSWERS),
    "refresh_instagram_gpt_data_audience_age_gender": Flow(("data",), processes=3, scrapes=Scrapes.ANSWERS),
    "refresh_instagram_gpt_data_audience_cities": Flow(("data",), processes=3, scrapes=Scrapes.ANSWERS),
    "refresh_instagram_gpt_data_gender_location_lang": Flow(("data",), processes=5, scrapes=Scrapes.ANSWERS),
    # assets and orders
    "asset_upload_flow": Flow(_ASSET, processes=15, scrapes=Scrapes.PICTURES),
    "asset_upload_flow_stories": Flow(_ASSET, processes=3, scrapes=Scrapes.PICTURES),
    "refresh_orders_by_store": Flow(
        ("store", "limit"), ("updated_at_min", "created_at_min", "created_at_max"), scrapes=Scrapes.ORDERS
    ),
}

COMPLETE_TEXT = "None"
FAILURES: tuple[tuple[float, str], ...] = (  # cumulated share below which a request fails with the text
    (0.04, "(404, 'Something went wrong')"),
    (0.07, "(429, 'Too many requests')"),
    (0.09, "'NoneType' object is not subscriptable"),
    (0.10, "(403, 'Forbidden exception')"),
    (0.11, "No source is available at the moment"),
    (0.12, "(200, 'API Failure')"),
)


def fate(seed: int, scrape_id: int, attempt: int) -> tuple[str | None, float]:
    """How an attempt fails (None: it succeeds), and where in its range of running times it falls, 0 to 1."""
    digest = hashlib.blake2b(f"{seed}/{scrape_id}/{attempt}".encode(), digest_size=16).digest()
    chance, speed = (int.from_bytes(part, "big") / 2**64 for part in (digest[:8], digest[8:]))
    return next((text for limit, text in FAILURES if chance < limit), None), speed
