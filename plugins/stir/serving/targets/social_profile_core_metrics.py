"""`social_profile_core_metrics`: the numbers at the head of a profile page, from `mart_profile_core_metrics`.

Published every 15 minutes, so every step has a short limit: what takes longer is better left to the next run.
"""

from __future__ import annotations

from stir.serving.declaration import Column, Index, Target, TimeLimits

WHOLE = "Nullable(Int64)"
RATIO = "Nullable(Float64)"

SOCIAL_PROFILE_CORE_METRICS = Target(
    name="social_profile_core_metrics",
    stale_after=1,
    mart="dbt.mart_profile_core_metrics",
    description="Followers, posts and engagement of each profile as of the last quarter of an hour.",
    columns=(
        Column("platform", "text", "String", required=True),
        Column("profile_id", "text", "String", required=True),
        Column("handle", "text", "Nullable(String)"),
        Column("followers", "bigint", WHOLE),
        Column("following", "bigint", WHOLE),
        Column("posts", "bigint", WHOLE),
        Column("engagement_rate", "double precision", RATIO),
        Column("avg_likes", "double precision", RATIO),
        Column("avg_comments", "double precision", RATIO),
        Column("avg_views", "double precision", RATIO),
        Column("newest_event_at", "timestamp", "Nullable(DateTime64(6))"),
    ),
    key=("platform", "profile_id"),
    indexes=(
        Index("social_profile_core_metrics_pkey", ("platform", "profile_id"), unique=True, primary=True),
        Index("social_profile_core_metrics_by_handle", ("platform", "handle")),
    ),
    newest_event="select max(newest_event_at) from {mart}",
    limits=TimeLimits(freshness=60, export=300, fetch=300, load=300, index=300, swap=120, vacuum=300),
)
