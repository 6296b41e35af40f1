"""`collection_post_metrics_ts`: one row per post of a collection and day, from `mart_collection_post_ts` or its staging
twin.

Differences from the reference: production and staging write objects of their own; rows of a collection that the product
does not know are left out, like those of an unknown account, and no longer stop the load; followers are those of the
day, and the account's where the day has none. `post_title` stays empty, as it always was: titles are in the summary.
"""

from __future__ import annotations

from stir.serving.declaration import SERIAL_ID, Column, Enrichment, Index, Origin, Target, enriched
from stir.serving.targets.collection_shares import IS_SHARED, SHARE_IDS

TEXT = "Nullable(String)"
WHOLE = "Nullable(Int64)"
RATIO = "Nullable(Float64)"

COLLECTION_POST_METRICS_TS = Target(
    name="collection_post_metrics_ts",
    mart="dbt.mart_collection_post_ts",
    staging_mart="dbt.mart_staging_collection_post_ts",
    description="Numbers of each post of a collection, day by day.",
    columns=(
        SERIAL_ID,
        Column("platform", "text", "String", required=True),
        Column("post_short_code", "text", "String", required=True),
        Column("post_type", "text", TEXT),
        Column("post_title", "text", required=True, default="''", origin=Origin.DEFAULT),
        Column("post_link", "text", "String"),
        Column("post_thumbnail", "text", TEXT),
        Column("published_at", "timestamp", "Nullable(DateTime64(6))", absent="1970-01-01 00:00:00"),
        Column("profile_social_id", "text", TEXT),
        Column("profile_handle", "text", TEXT),
        Column("profile_name", "text", TEXT),
        enriched("profile_pic", "text"),
        enriched("platform_account_code", "bigint", required=True),
        Column("followers", "bigint", WHOLE, absent=0, overlaid=True),
        Column("collection_type", "text", "String", required=True),
        Column("collection_id", "text", "String", required=True),
        enriched("collection_share_id", "text", required=True),
        Column("post_collection_item_id", "bigint", "Int64", required=True),
        Column("link_clicks", "bigint", "UInt64"),
        Column("orders", "bigint", "UInt64"),
        Column("stats_date", "timestamp", "Date", required=True),
        Column("views", "double precision", RATIO, expression="round(views)", absent=0),
        Column("likes", "bigint", WHOLE),
        Column("comments", "bigint", WHOLE),
        Column("impressions", "double precision", RATIO, expression="round(impressions)"),
        Column("saves", "bigint", WHOLE),
        Column("plays", "bigint", WHOLE),
        Column("reach", "double precision", RATIO, expression="round(reach)", absent=0),
        Column("swipe_ups", "bigint", WHOLE),
        Column("mentions", "bigint", WHOLE),
        Column("sticker_taps", "bigint", WHOLE),
        Column("shares", "bigint", WHOLE),
        Column("story_exits", "bigint", WHOLE),
        Column("story_back_taps", "bigint", WHOLE),
        Column("story_forward_taps", "bigint", WHOLE),
        Column("er", "double precision", RATIO, of="engagement_rate", absent=0),
    ),
    key=("collection_type", "collection_id", "platform", "post_short_code", "post_collection_item_id", "stats_date"),
    indexes=(
        Index("collection_post_metrics_ts_pkey", ("id",), unique=True, primary=True),
        Index(
            "collection_post_metrics_ts_key",
            (
                "collection_id",
                "collection_type",
                "platform",
                "post_short_code",
                "post_collection_item_id",
                "stats_date",
            ),
            unique=True,
        ),
        Index("collection_post_metrics_ts_by_share", ("collection_share_id", "stats_date")),
    ),
    newest_event="select max(updated_at) from {mart}",
    enrichments=(
        Enrichment(
            table="instagram_account",
            key="ig_id",
            on="profile_social_id",
            when="staged.platform = 'INSTAGRAM' and staged.profile_social_id <> ''",
            columns={"platform_account_code": "id", "profile_pic": "thumbnail"},
            fallbacks={"followers": "followers"},
        ),
        Enrichment(
            table="youtube_account",
            key="channel_id",
            on="profile_social_id",
            when="staged.platform = 'YOUTUBE' and staged.profile_social_id <> ''",
            columns={"platform_account_code": "id", "profile_pic": "thumbnail"},
            fallbacks={"followers": "followers"},
        ),
        *SHARE_IDS,
    ),
    keep=f"{IS_SHARED}\n    and coalesce(instagram_account.id, youtube_account.id) is not null",
)
