{{ config(tags=["daily", "leaderboard"], order_by=["month", "platform_id"]) }}

{% set metrics = leaderboard_metrics("instagram") %}

with
    entries as (select * from {{ ref("int_instagram_leaderboard_entry") }}),

    {{ ranked_leaderboard("entries", metrics) }},

    final as (
        select
            entries.platform as platform,
            entries.month as month,
            entries.platform_id as platform_id,
            entries.handle as handle,
            entries.category as category,
            entries.language as language,
            entries.country as country,
            entries.profile_type as profile_type,
            entries.views as views,
            entries.ia_views as ia_views,
            entries.yt_views as yt_views,
            entries.followers as followers,
            entries.prev_followers as prev_followers,
            entries.followers_change as followers_change,
            entries.uploads as uploads,
            entries.likes as likes,
            entries.comments as comments,
            entries.plays as plays,
            entries.prev_plays as prev_plays,
            entries.engagement as engagement,
            entries.avg_views as avg_views,
            entries.avg_likes as avg_likes,
            entries.avg_plays as avg_plays,
            entries.avg_comments as avg_comments,
            entries.engagement_rate as engagement_rate,
            entries.enabled as enabled,
            entries.prev_views as prev_views,
            {{ ranked_columns(metrics) }}
        from ranked
        inner join entries on entries.month = ranked.month and entries.platform_id = ranked.platform_id
        where {{ on_a_board(metrics) }}
    )

select *
from final
