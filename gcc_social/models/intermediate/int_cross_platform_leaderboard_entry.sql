{{ config(tags=["daily", "leaderboard"], order_by=["month", "profile_platform", "platform_id"]) }}

{% set columns = ["views", "prev_views", "uploads", "followers", "prev_followers", "followers_change"] %}

with
    instagram_entries as (select * from {{ ref("int_instagram_leaderboard_entry") }}),

    youtube_entries as (select * from {{ ref("int_youtube_leaderboard_entry") }}),

    monthly_base as (select * from {{ ref("mart_yt_leaderboard_base") }}),

    accounts as (select * from {{ ref("int_youtube_account") }}),

    links as (select * from {{ ref("mart_linked_socials") }}),

    -- A linked channel counts in every month that it has numbers of, also where it is on no board of its own: were its
    -- first month or one that lost views left out, the profile's numbers alone would pass for the total.
    channels as (
        select
            monthly_base.month as month,
            'IA' as profile_platform,
            links.profile_id as platform_id,
            accounts.category as category,
            accounts.language as language,
            accounts.profile_type as profile_type,
            {% for column in columns -%}
                monthly_base.{{ column }} as {{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from monthly_base
        inner join links on links.channel_id = monthly_base.channel_id
        inner join accounts on accounts.channel_id = monthly_base.channel_id
        union all
        select month, 'YA', platform_id, category, language, profile_type, {{ columns | join(", ") }}
        from youtube_entries
        where platform_id not in (select channel_id from links)
    ),

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
            month,
            profile_platform,
            platform_id,
            category,
            language,
            profile_type,
            2,
            views,
            prev_views,
            toInt64(0),
            views,
            uploads,
            followers,
            prev_followers,
            followers_change,
            toInt64(0),
            toInt64(0)
        from channels
    ),

    final as (
        select
            month,
            profile_platform,
            platform_id,
            argMax(sides.category, sides.priority) as category,
            max(sides.profile_type) as profile_type,
            argMax(sides.language, sides.priority) as language,
            {{ known_sum("sides.views") }} as views,
            {{ known_sum("sides.prev_views") }} as prev_views,
            {{ known_sum("sides.uploads") }} as uploads,
            sum(sides.ia_views) as ia_views,
            {{ known_sum("sides.yt_views") }} as yt_views,
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
