{{ config(tags=["daily", "leaderboard"], order_by=["month", "platform_id"]) }}

with
    monthly_base as (select * from {{ ref("mart_insta_leaderboard_base") }}),

    accounts as (select * from {{ ref("int_instagram_account") }}),

    links as (select * from {{ ref("mart_linked_socials") }}),

    final as (
        select
            'INSTAGRAM' as platform,
            monthly_base.month as month,
            monthly_base.profile_id as platform_id,
            accounts.handle as handle,
            -- A linked channel's category is chosen by its owner and goes before what was derived for the profile.
            coalesce(links.category, accounts.primary_category_original) as category,
            accounts.primary_language as language,
            accounts.country as country,
            accounts.profile_type as profile_type,
            monthly_base.views as views,
            monthly_base.prev_views as prev_views,
            monthly_base.plays as ia_views,
            toUInt8(0) as yt_views,
            monthly_base.followers as followers,
            monthly_base.prev_followers as prev_followers,
            monthly_base.followers_change as followers_change,
            monthly_base.uploads as uploads,
            monthly_base.likes as likes,
            monthly_base.comments as comments,
            monthly_base.plays as plays,
            monthly_base.prev_plays as prev_plays,
            monthly_base.engagement as engagement,
            monthly_base.avg_views as avg_views,
            monthly_base.avg_likes as avg_likes,
            monthly_base.avg_plays as avg_plays,
            monthly_base.avg_comments as avg_comments,
            monthly_base.avg_er as engagement_rate,
            toUInt8(1) as enabled
        from monthly_base
        inner join accounts on accounts.ig_id = monthly_base.profile_id
        left join links on links.profile_id = monthly_base.profile_id
        where
            accounts.handle is not null
            and accounts.country = 'IN'
            and coalesce(monthly_base.prev_followers, monthly_base.followers) != 0
    )

select *
from final
