{{ config(tags=["daily", "leaderboard"], order_by=["date", "platform_id"]) }}

with
    {{ leaderboard_base_followers(period="week", gap_days=7, followers="latest") }},

    final as ({{ instagram_account_rows(monthly=false, with_reach=true) }})

select *
from final
