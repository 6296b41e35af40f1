{{ config(tags=["daily", "leaderboard"], order_by=["month", "platform_id"]) }}

with
    monthly_base as (select * from {{ ref("mart_yt_leaderboard_base") }}),

    accounts as (select * from {{ ref("int_youtube_account") }}),

    final as (
        select
            'YOUTUBE' as platform,
            monthly_base.month as month,
            monthly_base.channel_id as platform_id,
            accounts.category as category,
            accounts.language as language,
            accounts.country as country,
            accounts.profile_type as profile_type,
            monthly_base.views as views,
            monthly_base.prev_views as prev_views,
            toUInt8(0) as ia_views,
            monthly_base.views as yt_views,
            monthly_base.uploads as uploads,
            monthly_base.followers as followers,
            monthly_base.prev_followers as prev_followers,
            monthly_base.followers_change as followers_change,
            toUInt8(0) as engagement_rate,
            toUInt8(0) as avg_likes,
            toUInt8(0) as avg_comments,
            toUInt8(0) as avg_views,
            toUInt8(0) as likes,
            toUInt8(0) as comments,
            toUInt8(0) as engagement
        from monthly_base
        inner join accounts on accounts.channel_id = monthly_base.channel_id
        where accounts.country = 'IN' and monthly_base.prev_followers != 0 and monthly_base.views > 0
    )

select *
from final
