"""`social_profile_time_series`: weekly and monthly series of each profile, from `mart_time_series`.

dbt_core adds to the mart every 15 minutes; between merges a key has several versions, of which FINAL reads the newest.
`prev_date` is the date of the row before in the same series, or its own for the first one.
"""

from __future__ import annotations

from stir.serving.declaration import ENABLED, SERIAL_ID, Column, Enrichment, Index, Target, TimeLimits, enriched
from stir.serving.targets.profile_readings import NEWEST_READING

WHOLE = "Nullable(Int64)"

SOCIAL_PROFILE_TIME_SERIES = Target(
    name="social_profile_time_series",
    mart="dbt.mart_time_series",
    description="Followers, posts and gains of each profile per week and per month.",
    incremental=True,
    rows="""
    select
        *,
        lagInFrame(date, 1, date) over (
            partition by platform, platform_id, monthly_stats order by date
            rows between unbounded preceding and current row
        ) as prev_date
    from {mart} final
""",
    columns=(
        SERIAL_ID,
        Column("platform_id", "text", "String", required=True),
        Column("platform", "text", "String", required=True),
        enriched("platform_profile_id", "bigint"),
        Column("followers", "bigint", WHOLE),
        Column("following", "bigint", WHOLE),
        Column("views", "bigint", WHOLE),
        Column("views_total", "bigint", WHOLE),
        Column("plays", "bigint", WHOLE),
        Column("plays_total", "bigint", WHOLE),
        Column("engagement_rate", "double precision", "Nullable(Float64)"),
        Column("uploads", "bigint", WHOLE),
        Column("followers_change", "bigint", WHOLE),
        Column("date", "timestamp", "Date", required=True),
        Column("prev_date", "timestamp", "Date", derived=True),
        Column("monthly_stats", "boolean", "Bool", required=True),
        ENABLED,
    ),
    key=("platform", "platform_id", "monthly_stats", "date"),
    indexes=(
        Index("social_profile_time_series_pkey", ("id",), unique=True, primary=True),
        Index("social_profile_time_series_key", ("platform", "platform_id", "monthly_stats", "date"), unique=True),
        Index("social_profile_time_series_by_profile", ("platform", "platform_profile_id", "monthly_stats", "date")),
    ),
    newest_event=NEWEST_READING,
    enrichments=(
        Enrichment(
            table="youtube_account",
            key="channel_id",
            on="platform_id",
            when="staged.platform = 'YOUTUBE'",
            columns={"platform_profile_id": "id"},
        ),
        Enrichment(
            table="instagram_account",
            key="ig_id",
            on="platform_id",
            when="staged.platform = 'INSTAGRAM'",
            columns={"platform_profile_id": "id"},
        ),
    ),
    limits=TimeLimits(freshness=900),
)
