"""`genre_overview`: sums per month, category, language, profile type and platform, from `mart_genre_overview`.

Rows whose language or category is MISSING are for the warehouse alone.
"""

from __future__ import annotations

from stir.serving.declaration import ENABLED, SERIAL_ID, Column, Index, Target
from stir.serving.targets.profile_readings import NEWEST_READING

WHOLE = "Nullable(Int64)"
SHARES = "Map(String, Float64)"

GENRE_OVERVIEW = Target(
    name="genre_overview",
    mart="dbt.mart_genre_overview",
    description="Creators, posts and audience per month, category, language, profile type and platform.",
    rows="select * from {mart} where language != 'MISSING' and category != 'MISSING'",
    columns=(
        SERIAL_ID,
        Column("category", "text", "String", required=True),
        Column("month", "text", "String", required=True),
        Column("platform", "text", "String", required=True),
        Column("language", "text", "String", required=True),
        Column("profile_type", "text", "String", required=True),
        Column("creators", "bigint", "UInt64"),
        Column("uploads", "bigint", WHOLE),
        Column("views", "bigint", WHOLE),
        Column("engagement", "bigint", WHOLE),
        Column("engagement_rate", "double precision", "Nullable(Float64)"),
        Column("followers", "bigint", WHOLE),
        Column("likes", "bigint", WHOLE),
        Column("comments", "bigint", WHOLE),
        Column("audience_age_gender", "jsonb", "Map(String, Map(String, Float64))"),
        Column("audience_age", "jsonb", SHARES),
        Column("audience_gender", "jsonb", SHARES),
        ENABLED,
    ),
    key=("month", "language", "category", "profile_type", "platform"),
    indexes=(
        Index("genre_overview_pkey", ("id",), unique=True, primary=True),
        Index("genre_overview_key", ("month", "platform", "category", "language", "profile_type"), unique=True),
        Index("genre_overview_by_category", ("category", "platform", "month")),
    ),
    newest_event=NEWEST_READING,
)
