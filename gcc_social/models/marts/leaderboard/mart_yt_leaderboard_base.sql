{{ config(tags=["daily", "leaderboard"], order_by=["month", "channel_id"]) }}

{% set history = "channel_history" %}

with
    monthly_counters as (select * from {{ ref("mart_yt_leaderboard_base_raw") }}),

    gains as (
        select
            month,
            channel_id,
            lifetime_followers as followers,
            lifetime_views,
            lifetime_uploads,
            {{ previous_available("month", 31, history) }} as last_month_available,
            {{ previous_value("lifetime_followers", "last_month_available", history) }} as prev_followers,
            lifetime_views - {{ previous_value("lifetime_views", "last_month_available", history) }} as views,
            lifetime_uploads - {{ previous_value("lifetime_uploads", "last_month_available", history) }} as uploads
        from monthly_counters
        window {{ history }} as ({{ account_history_window(["channel_id"], "month") }})
    ),

    final as (
        select
            month,
            channel_id,
            followers,
            lifetime_views,
            lifetime_uploads,
            last_month_available,
            prev_followers,
            followers - prev_followers as followers_change,
            {{ previous_value("views", "last_month_available", history) }} as prev_views,
            views,
            {{ previous_value("uploads", "last_month_available", history) }} as prev_uploads,
            uploads
        from gains
        window {{ history }} as ({{ account_history_window(["channel_id"], "month") }})
    )

select *
from final
