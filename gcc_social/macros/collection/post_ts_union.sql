{% macro post_ts_union(first, second, item_id_first=false) %}
    {#- Two daily series in one, columns by name. The series of all collections have the item's id before the post's type. -#}
    {%- set columns = (
        ["post_collection_item_id", "post_type"]
        if item_id_first
        else ["post_type", "post_collection_item_id"]
    ) %}
    {%- set columns = (
        ["platform", "post_short_code"]
        + columns
        + [
            "post_title",
            "post_link",
            "post_thumbnail",
            "hashtags",
            "keywords",
            "published_at",
            "profile_social_id",
            "profile_handle",
            "post_handle",
            "profile_name",
            "collection_type",
            "collection_id",
            "followers",
            "link_clicks",
            "orders",
            "delivered_orders",
            "completed_orders",
            "leaderboard_overall_orders",
            "leaderboard_delivered_orders",
            "leaderboard_completed_orders",
            "stats_date",
            "views",
            "likes",
            "comments",
            "impressions",
            "saves",
            "plays",
            "reach",
            "swipe_ups",
            "mentions",
            "sticker_taps",
            "shares",
            "story_exits",
            "story_back_taps",
            "story_forward_taps",
            "total_engagement",
            "engagement_rate",
            "real_reach",
            "real_impressions",
            "updated_at",
        ]
    ) %}

    with
        first_series as (select * from {{ first }}),

        second_series as (select * from {{ second }}),

        final as (
            select {{ columns | join(", ") }}
            from first_series
            union all
            select {{ columns | join(", ") }}
            from second_series
        )

    select *
    from final

{% endmacro %}
