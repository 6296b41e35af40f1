{{ config(tags=["daily", "genre"], order_by=["month", "short_code"]) }}

with
    trending as (select * from {{ ref("mart_genre_youtube_trending_content_base") }}),

    posts as (select * from {{ merged(ref("stg_beat_youtube_post")) }}),

    accounts as (select * from {{ ref("mart_youtube_account") }}),

    {{ newest_posts(["published_at", "thumbnail"], among="trending") }},

    final as (
        select
            'YOUTUBE' as platform,
            trending.month as month,
            trending.profile_id as profile_id,
            trending.short_code as short_code,
            trending.title as title,
            trending.description as description,
            trending.views as views,
            trending.likes as likes,
            trending.comments as comments,
            trending.likes + trending.comments as engagement,
            engagement / nullIf(trending.views, 0) as engagement_rate,
            CAST(null, 'Nullable(Int64)') as plays,
            trending.views_rank as views_rank,
            trending.plays_rank as plays_rank,
            trending.post_type as post_type,
            trending.profile_type as profile_type,
            concat(
                'https://www.youtube.com/', if(trending.post_type = 'short', 'shorts/', 'watch?v='), trending.short_code
            ) as post_url,
            nullIf({{ larger_thumbnail("newest_posts.thumbnail") }}, '') as thumbnail_url,
            newest_posts.published_at as publish_time,
            nullIf(accounts.language, '') as language,
            trending.category as category,
            'platform' as views_source
        from trending
        left join newest_posts on newest_posts.shortcode = trending.short_code
        left join accounts on accounts.channel_id = trending.profile_id
    )

select *
from final
