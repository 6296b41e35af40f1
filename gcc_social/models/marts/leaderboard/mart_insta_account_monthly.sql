{{ config(tags=["daily", "leaderboard"], order_by=["date", "platform_id"]) }}

with
    {{ leaderboard_base_followers(period="month", gap_days=31, followers="latest") }},

    final as ({{ instagram_account_rows(monthly=true) }})

select *
from final
