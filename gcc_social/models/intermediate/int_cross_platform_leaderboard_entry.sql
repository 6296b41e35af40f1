{{ config(tags=["daily", "leaderboard"], order_by=["month", "profile_platform", "platform_id"]) }}

with
    instagram_entries as (select * from {{ ref("int_instagram_leaderboard_entry") }}),

    youtube_entries as (select * from {{ ref("int_youtube_leaderboard_entry") }}),

    links as (select * from {{ ref("mart_linked_socials") }}),

    -- A month without posts is a month without plays, so a missing count adds nothing; a missing month is unknown.
    sides as (
        select
            month,
            'IA' as profile_platform,
            platform_id,
            category,
            language,
            profile_type,
            1 as priority,
            ifNull(plays, 0) as views,
            if(prev_followers is null, null, ifNull(prev_plays, 0)) as prev_views,
            ifNull(plays, 0) as ia_views,
            toInt64(0) as yt_views,
            toNullable(uploads) as uploads,
            followers,
            prev_followers,
            followers_change,
            ifNull(likes, 0) as likes,
            ifNull(comments, 0) as comments
        from instagram_entries
        union all
        select
            youtube_entries.month,
            if(links.profile_id != '', 'IA', 'YA'),
            if(links.profile_id != '', links.profile_id, youtube_entries.platform_id),
            youtube_entries.category,
            youtube_entries.language,
            youtube_entries.profile_type,
            2,
            youtube_entries.views,
            youtube_entries.prev_views,
            toInt64(0),
            youtube_entries.views,
            youtube_entries.uploads,
            youtube_entries.followers,
            youtube_entries.prev_followers,
            youtube_entries.followers_change,
            toInt64(0),
            toInt64(0)
        from youtube_entries
        left join links on links.channel_id = youtube_entries.platform_id
    ),

    final as (
        select
            month,
            profile_platform,
            platform_id,
            argMax(sides.category, sides.priority) as category,
            max(sides.profile_type) as profile_type,
            argMax(sides.language, sides.priority) as language,
            sum(sides.views) as views,
            {{ known_sum("sides.prev_views") }} as prev_views,
            {{ known_sum("sides.uploads") }} as uploads,
            sum(sides.ia_views) as ia_views,
            sum(sides.yt_views) as yt_views,
            sum(sides.followers) as followers,
            {{ known_sum("sides.prev_followers") }} as prev_followers,
            {{ known_sum("sides.followers_change") }} as followers_change,
            sum(sides.likes) as likes,
            sum(sides.comments) as comments
        from sides
        group by month, profile_platform, platform_id
    )

select *
from final
