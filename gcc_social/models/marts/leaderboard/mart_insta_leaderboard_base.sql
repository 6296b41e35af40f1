{{ config(tags=["daily", "leaderboard"], order_by=["month", "profile_id"]) }}

with
    {{ leaderboard_base_followers(period="month", gap_days=31, followers="max") }},

    final as (
        select
            period as month,
            profile_id,
            views,
            likes,
            comments,
            engagement,
            plays,
            total_plays,
            prev_plays,
            followers,
            prev_followers,
            followers - prev_followers as followers_change,
            avg_views,
            uploads,
            avg_likes,
            avg_comments,
            avg_er,
            avg_plays,
            prev_views
        from account_periods
    )

select *
from final
