{{ config(tags=["daily", "leaderboard"], order_by=["month", "platform_id", "profile_platform"]) }}

{% set metrics = leaderboard_metrics("cross_platform") %}

with
    entries as (select * from {{ ref("int_cross_platform_leaderboard_entry") }}),

    {{ ranked_leaderboard("entries", metrics, key=["platform_id", "profile_platform"]) }},

    final as (
        select
            entries.month as month,
            entries.profile_platform as profile_platform,
            entries.platform_id as platform_id,
            entries.category as category,
            entries.profile_type as profile_type,
            entries.language as language,
            entries.views as views,
            entries.prev_views as prev_views,
            entries.uploads as uploads,
            entries.ia_views as ia_views,
            entries.yt_views as yt_views,
            entries.followers as followers,
            entries.prev_followers as prev_followers,
            entries.followers_change as followers_change,
            entries.likes as likes,
            entries.comments as comments,
            'ALL' as platform,
            toUInt8(0) as avg_likes,
            toUInt8(0) as avg_views,
            toUInt8(0) as engagement_rate,
            'IN' as country,
            toUInt8(0) as engagement,
            toUInt8(0) as avg_comments,
            {{ ranked_columns(metrics) }}
        from ranked
        inner join
            entries
            on entries.month = ranked.month
            and entries.platform_id = ranked.platform_id
            and entries.profile_platform = ranked.profile_platform
        where {{ on_a_board(metrics) }}
    )

select *
from final
