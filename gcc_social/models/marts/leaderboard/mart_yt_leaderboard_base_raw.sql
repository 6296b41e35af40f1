{{ config(tags=["daily", "leaderboard"], order_by=["month", "channel_id"]) }}

with
    {{ youtube_channel_periods("month") }},

    final as (
        select period as month, channel_id, lifetime_views, lifetime_followers, lifetime_uploads from channel_periods
    )

select *
from final
