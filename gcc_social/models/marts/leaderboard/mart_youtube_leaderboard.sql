{{ config(tags=["daily", "leaderboard"], order_by=["month", "platform_id"]) }}

{% set metrics = leaderboard_metrics("youtube") %}

with
    entries as (select * from {{ ref("int_youtube_leaderboard_entry") }}),

    {{ ranked_leaderboard("entries", metrics) }},

    final as (
        select
            entries.platform as platform,
            entries.month as month,
            entries.platform_id as platform_id,
            entries.category as category,
            entries.language as language,
            entries.country as country,
            entries.profile_type as profile_type,
            entries.views as views,
            entries.prev_views as prev_views,
            entries.ia_views as ia_views,
            entries.yt_views as yt_views,
            entries.uploads as uploads,
            entries.followers as followers,
            entries.prev_followers as prev_followers,
            entries.followers_change as followers_change,
            entries.engagement_rate as engagement_rate,
            entries.avg_likes as avg_likes,
            entries.avg_comments as avg_comments,
            entries.avg_views as avg_views,
            entries.likes as likes,
            entries.comments as comments,
            entries.engagement as engagement,
            {{ ranked_columns(metrics) }}
        from ranked
        inner join entries on entries.month = ranked.month and entries.platform_id = ranked.platform_id
        where {{ on_a_board(metrics) }}
    )

select *
from final
