"""`social_profile_hashtags`: the ten hashtags that a profile uses most, from `mart_instagram_hashtags`.

Tags and counts are JSON arrays, counts as numbers, where the reference had text arrays.
"""

from __future__ import annotations

from stir.serving.declaration import SERIAL_ID, Column, Enrichment, Index, Target, enriched

SOCIAL_PROFILE_HASHTAGS = Target(
    name="social_profile_hashtags",
    stale_after=196,  # built once a week
    mart="dbt.mart_instagram_hashtags",
    description="The ten hashtags that each Instagram profile uses most, and how often.",
    columns=(
        SERIAL_ID,
        Column("platform_id", "text", "String", required=True),
        Column("platform", "text", "String", required=True),
        enriched("platform_profile_id", "bigint"),
        Column("hashtags", "jsonb", "Array(String)"),
        Column("hashtags_counts", "jsonb", "Array(UInt64)"),
    ),
    key=("platform", "platform_id"),
    indexes=(
        Index("social_profile_hashtags_pkey", ("id",), unique=True, primary=True),
        Index("social_profile_hashtags_key", ("platform", "platform_id"), unique=True),
        Index("social_profile_hashtags_by_profile", ("platform_profile_id",)),
    ),
    newest_event="select max(updated_at) from dbt.stg_beat_instagram_post where updated_at <= {built_at}",
    enrichments=(
        Enrichment(
            table="instagram_account",
            key="ig_id",
            on="platform_id",
            when="staged.platform = 'INSTAGRAM'",
            columns={"platform_profile_id": "id"},
        ),
    ),
)
