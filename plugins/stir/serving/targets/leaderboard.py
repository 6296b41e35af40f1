"""`leaderboard`: monthly ranks of profiles, from `mart_leaderboard`.

Differences from the reference: `handle` comes from the account tables (it was NULL on every row),
`platform_profile_id` is joined by the profile's own platform, and the plain (month, platform) index is gone because
the unique key index begins with it.
"""

from __future__ import annotations

from stir.serving.declaration import ENABLED, SERIAL_ID, Column, Enrichment, Guards, Index, Target, enriched
from stir.serving.targets.profile_readings import NEWEST_READING

WHOLE = "Nullable(Int64)"
RATIO = "Nullable(Float64)"
RANK = "UInt64"
RANKS = "Map(String, UInt64)"


LEADERBOARD = Target(
    name="leaderboard",
    mart="dbt.mart_leaderboard",
    description="Ranks of Instagram, YouTube and cross-platform profiles per month, with rank maps of two months.",
    columns=(
        SERIAL_ID,
        Column("month", "timestamp", "Date", required=True),
        Column("platform", "text", "String", required=True),
        Column("profile_platform", "text", "String", required=True),
        Column("platform_id", "text", "String", required=True),
        enriched("platform_profile_id", "bigint"),
        enriched("handle", "text"),
        Column("language", "text", "Nullable(String)"),
        Column("category", "text", "Nullable(String)"),
        Column("country", "text", "Nullable(String)"),
        Column("profile_type", "text", "String"),
        Column("followers", "bigint", WHOLE),
        Column("engagement_rate", "double precision", RATIO),
        Column("avg_likes", "double precision", RATIO),
        Column("avg_comments", "double precision", RATIO),
        Column("avg_views", "double precision", RATIO),
        Column("avg_plays", "double precision", RATIO),
        Column("followers_rank", "bigint", RANK),
        Column("followers_change_rank", "bigint", RANK),
        Column("views_rank", "bigint", RANK),
        Column("plays_rank", "bigint", RANK),
        Column("views", "bigint", WHOLE),
        Column("yt_views", "bigint", WHOLE),
        Column("ia_views", "bigint", WHOLE),
        Column("uploads", "bigint", WHOLE),
        Column("prev_followers", "bigint", WHOLE),
        Column("prev_views", "bigint", WHOLE),
        Column("prev_plays", "bigint", WHOLE),
        Column("followers_change", "bigint", WHOLE),
        Column("likes", "bigint", WHOLE),
        Column("comments", "bigint", WHOLE),
        Column("plays", "bigint", WHOLE),
        Column("engagement", "bigint", WHOLE),
        enriched("audience_gender", "jsonb"),
        enriched("audience_age", "jsonb"),
        enriched("search_phrase", "text"),
        ENABLED,
        Column("last_month_ranks", "jsonb", RANKS),
        Column("current_month_ranks", "jsonb", RANKS),
    ),
    key=("month", "platform", "profile_platform", "platform_id"),
    indexes=(
        Index("leaderboard_pkey", ("id",), unique=True, primary=True),
        Index("leaderboard_key", ("month", "platform", "profile_platform", "platform_id"), unique=True),
        Index("leaderboard_by_profile", ("month", "platform", "platform_profile_id")),
        Index("leaderboard_by_followers_change_rank", ("month", "platform", "followers_change_rank", "id")),
        Index("leaderboard_by_plays_rank", ("month", "platform", "plays_rank", "id")),
        Index("leaderboard_by_views_rank", ("month", "platform", "views_rank", "id")),
    ),
    newest_event=NEWEST_READING,
    enrichments=(
        Enrichment(
            table="instagram_account",
            key="ig_id",
            on="platform_id",
            when="staged.profile_platform = 'IA'",
            columns={
                "platform_profile_id": "id",
                "handle": "handle",
                "audience_gender": "audience_gender",
                "audience_age": "audience_age",
                "search_phrase": "search_phrase",
            },
        ),
        Enrichment(
            table="youtube_account",
            key="channel_id",
            on="platform_id",
            when="staged.profile_platform = 'YA'",
            columns={
                "platform_profile_id": "id",
                "handle": "username",
                "audience_gender": "audience_gender",
                "audience_age": "audience_age",
                "search_phrase": "search_phrase",
            },
        ),
    ),
    guards=Guards(minimum_rows=1, minimum_share=0.5),
)
