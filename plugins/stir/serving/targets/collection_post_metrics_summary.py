"""`collection_post_metrics_summary`: one row per post of a collection, from `mart_collection_post` or its staging twin.

Differences from the reference: one declaration serves the runs of every half hour, the daily one and staging, so titles
and hidden posts never come and go; links keep their `=` and `&`; the type of the collection is part of the key; cost
and visibility are those of the post's own item, not of any item of its number or short code. A post without an item, or
whose item does not say that it is shown, is left out. An account whose follower count the product does not know keeps
the mart's.
"""

from __future__ import annotations

from stir.serving.declaration import SERIAL_ID, Column, Enrichment, Index, Target, enriched
from stir.serving.targets.collection_shares import IS_SHARED, SHARE_IDS

TEXT = "Nullable(String)"
WHOLE = "Nullable(Int64)"
RATIO = "Nullable(Float64)"

COLLECTION_POST_METRICS_SUMMARY = Target(
    name="collection_post_metrics_summary",
    stale_after=2,
    mart="dbt.mart_collection_post",
    staging_mart="dbt.mart_staging_collection_post",
    description="Posts of each collection with their latest numbers, clicks, orders and cost.",
    columns=(
        SERIAL_ID,
        Column("platform", "text", "String", required=True),
        Column("post_short_code", "text", "String", required=True),
        Column("post_type", "text", TEXT, absent=""),
        Column("post_title", "text", TEXT, absent=""),
        Column("post_link", "text", "String"),
        Column("post_thumbnail", "text", TEXT),
        Column("published_at", "timestamp", "Nullable(DateTime64(6))", absent="1970-01-01 00:00:00"),
        Column("profile_social_id", "text", TEXT),
        Column("profile_handle", "text", TEXT, absent=""),
        Column("profile_name", "text", TEXT, absent="", overlaid=True),
        enriched("profile_pic", "text"),
        Column("followers", "bigint", WHOLE, absent=0, overlaid=True),
        Column("collection_id", "text", "String", required=True),
        enriched("collection_share_id", "text", required=True),
        Column("post_collection_item_id", "bigint", "Int64"),
        Column("collection_type", "text", "String", required=True),
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
        Column("link_clicks", "bigint", "UInt64"),
        Column("orders", "bigint", "UInt64"),
        Column("er", "double precision", RATIO, of="engagement_rate", absent=0),
        Column("hashtags", "jsonb", "Array(String)", expression="arrayMap(tag -> lowerUTF8(tag), hashtags)"),
        enriched("cost", "bigint"),
        Column("delivered_orders", "bigint", "UInt64"),
        Column("completed_orders", "bigint", "UInt64"),
        Column("leaderboard_overall_orders", "bigint", "UInt64"),
        Column("leaderboard_delivered_orders", "bigint", "UInt64"),
        Column("leaderboard_completed_orders", "bigint", "UInt64"),
    ),
    key=("collection_type", "platform", "collection_id", "post_short_code"),
    indexes=(
        Index("collection_post_metrics_summary_pkey", ("id",), unique=True, primary=True),
        Index(
            "collection_post_metrics_summary_key",
            ("collection_id", "collection_type", "platform", "post_short_code"),
            unique=True,
        ),
        Index("collection_post_metrics_summary_by_share", ("collection_share_id", "platform")),
    ),
    newest_event="select max(updated_at) from {mart}_ts where updated_at <= {built_at}",
    enrichments=(
        Enrichment(
            table="instagram_account",
            key="ig_id",
            on="profile_social_id",
            when="staged.platform = 'INSTAGRAM' and staged.profile_social_id <> ''",
            columns={"profile_pic": "thumbnail", "followers": "followers", "profile_name": ("name", "handle")},
        ),
        Enrichment(
            table="youtube_account",
            key="channel_id",
            on="profile_social_id",
            when="staged.platform = 'YOUTUBE' and staged.profile_social_id <> ''",
            columns={"profile_pic": "thumbnail", "followers": "followers", "profile_name": ("username", "title")},
        ),
        *SHARE_IDS,
        Enrichment(
            table="post_collection_item",
            key="id",
            on="post_collection_item_id",
            when="staged.collection_type = 'POST'",
            columns={"cost": "cost"},
        ),
    ),
    keep=f"{IS_SHARED}\n    and (staged.collection_type <> 'POST' or post_collection_item.show_in_report)",
)
