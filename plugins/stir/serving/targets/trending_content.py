"""`trending_content`: the most seen posts per month and category, from `mart_genre_trending_content`.

A post that its platform does not rank has no place (NULL), where the reference had 0.
"""

from __future__ import annotations

from stir.serving.declaration import ENABLED, SERIAL_ID, Column, Enrichment, Index, Target, enriched

TEXT = "Nullable(String)"
WHOLE = "Nullable(Int64)"

TRENDING_CONTENT = Target(
    name="trending_content",
    mart="dbt.mart_genre_trending_content",
    description="The most seen reels and videos per month and category.",
    columns=(
        SERIAL_ID,
        Column("month", "text", "Date", required=True),
        Column("category", "text", TEXT),
        Column("platform", "text", "String", required=True),
        Column("language", "text", TEXT),
        Column("profile_type", "text", "String"),
        Column("title", "text", TEXT),
        Column("description", "text", TEXT),
        Column("engagement", "bigint", WHOLE),
        Column("engagement_rate", "double precision", "Nullable(Float64)"),
        Column("views", "bigint", WHOLE),
        Column("plays", "bigint", WHOLE),
        Column("likes", "bigint", WHOLE),
        Column("comments", "bigint", WHOLE),
        Column("published_at", "timestamp", "Nullable(DateTime64(6))", of="publish_time"),
        Column("post_id", "text", "String", of="short_code", required=True),
        Column("post_type", "text", TEXT),
        Column("post_link", "text", "String", of="post_url"),
        Column("thumbnail", "text", TEXT, of="thumbnail_url"),
        Column("profile_social_id", "text", "String", of="profile_id", required=True),
        enriched("platform_account_id", "bigint"),
        enriched("audience_gender", "jsonb"),
        enriched("audience_age", "jsonb"),
        Column("plays_rank", "bigint", "Nullable(UInt64)"),
        Column("views_rank", "bigint", "Nullable(UInt64)"),
        ENABLED,
    ),
    key=("platform", "post_id"),
    indexes=(
        Index("trending_content_pkey", ("id",), unique=True, primary=True),
        Index("trending_content_key", ("platform", "post_id"), unique=True),
        Index("trending_content_by_plays_rank", ("month", "platform", "category", "plays_rank")),
        Index("trending_content_by_views_rank", ("month", "platform", "category", "views_rank")),
    ),
    newest_event="select max(publish_time) from {mart} where publish_time <= {built_at}",
    enrichments=(
        Enrichment(
            table="instagram_account",
            key="ig_id",
            on="profile_social_id",
            when="staged.platform = 'INSTAGRAM'",
            columns={
                "platform_account_id": "id",
                "audience_gender": "audience_gender",
                "audience_age": "audience_age",
            },
        ),
        Enrichment(
            table="youtube_account",
            key="channel_id",
            on="profile_social_id",
            when="staged.platform = 'YOUTUBE'",
            columns={
                "platform_account_id": "id",
                "audience_gender": "audience_gender",
                "audience_age": "audience_age",
            },
        ),
    ),
)
