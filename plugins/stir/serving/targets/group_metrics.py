"""`group_metrics`: what is usual in each peer group, from `mart_primary_group_metrics`.

Bounds and heights of the histogram are JSON arrays of numbers, where the reference had text arrays.
"""

from __future__ import annotations

from stir.serving.declaration import SERIAL_ID, Column, Index, Target
from stir.serving.targets.profile_readings import NEWEST_READING

MEAN = "Nullable(Float64)"

GROUP_METRICS = Target(
    name="group_metrics",
    mart="dbt.mart_primary_group_metrics",
    description="Average metrics and engagement histogram of each peer group.",
    columns=(
        SERIAL_ID,
        Column("group_key", "text", "String", required=True),
        Column("group_avg_likes", "double precision", MEAN, of="group_avg_avg_likes"),
        Column("group_avg_comments", "double precision", MEAN, of="group_avg_avg_comments"),
        Column("group_avg_comments_rate", "double precision", MEAN),
        Column("group_avg_followers", "double precision", MEAN),
        Column("group_avg_engagement_rate", "double precision", MEAN),
        Column("group_avg_reels_reach", "double precision", MEAN),
        Column("group_avg_image_reach", "double precision", MEAN),
        Column("group_avg_story_reach", "double precision", MEAN),
        Column("group_avg_shorts_reach", "double precision", MEAN),
        Column("group_avg_video_reach", "double precision", MEAN),
        Column("group_avg_likes_to_comment_ratio", "double precision", MEAN),
        Column("group_avg_followers_growth7d", "double precision", MEAN),
        Column("group_avg_followers_growth30d", "double precision", MEAN),
        Column("group_avg_followers_growth90d", "double precision", MEAN),
        Column("group_avg_audience_reachability", "double precision", MEAN),
        Column("group_avg_audience_authencity", "double precision", MEAN),
        Column("group_avg_audience_quality", "double precision", MEAN),
        Column("group_avg_post_count", "double precision", MEAN),
        Column("group_avg_reaction_rate", "double precision", MEAN),
        Column("group_avg_likes_spread", "double precision", MEAN),
        Column("group_avg_followers_growth1y", "double precision", MEAN),
        Column("group_avg_posts_per_week", "double precision", MEAN, of="group_avg_avg_posts_per_week"),
        Column("profiles", "bigint", "UInt64"),
        Column("bin_start", "jsonb", "Array(Float64)"),
        Column("bin_end", "jsonb", "Array(Float64)"),
        Column("bin_height", "jsonb", "Array(Float64)"),
    ),
    key=("group_key",),
    indexes=(
        Index("group_metrics_pkey", ("id",), unique=True, primary=True),
        Index("group_metrics_key", ("group_key",), unique=True),
    ),
    newest_event=NEWEST_READING,
)
