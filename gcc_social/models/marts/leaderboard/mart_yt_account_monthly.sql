{{ config(tags=["daily", "leaderboard"], order_by=["date", "platform_id"]) }}

with
    monthly_counters as (select *, month as period from {{ ref("mart_yt_leaderboard_base_raw") }}),

    {{ yt_snapshots_with_previous("monthly_counters", gap_days=31) }},

    final as ({{ youtube_account_rows(monthly=true) }})

select *
from final
