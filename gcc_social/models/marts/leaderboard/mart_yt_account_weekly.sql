{{ config(tags=["daily", "leaderboard"], order_by=["date", "platform_id"]) }}

with
    {{ youtube_channel_periods("week") }},

    {{ yt_snapshots_with_previous("channel_periods", gap_days=7) }},

    final as ({{ youtube_account_rows(monthly=false) }})

select *
from final
