{{ config(tags=["daily", "genre"], order_by=["month", "short_code"]) }}

with
    trending as (select * from {{ ref("mart_genre_instagram_trending_content_base") }}),

    posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

    assets as (select * from {{ merged(ref("stg_beat_asset_log")) }}),

    accounts as (select * from {{ ref("mart_instagram_account") }}),

    {{ newest_posts(["publish_time", "thumbnail_url"], among="trending") }},

    pictures as ({{ stored_pictures("POST", among="trending") }}),

    estimates as (
        select
            trending.short_code as short_code,
            toInt64(
                round(
                    {{
                        estimated_reach(
                            post_class("trending.post_type"),
                            "trending.plays",
                            "trending.likes",
                            "accounts.followers",
                        )
                    }}
                )
            ) as reach,
            nullIf(accounts.primary_language, '') as language
        from trending
        inner join accounts on accounts.ig_id = trending.profile_id
        where accounts.followers > 0
    ),

    final as (
        select
            'INSTAGRAM' as platform,
            trending.month as month,
            trending.profile_id as profile_id,
            trending.short_code as short_code,
            trending.title as title,
            trending.description as description,
            trending.likes as likes,
            trending.comments as comments,
            trending.likes + trending.comments as engagement,
            if(trending.reach > 0, trending.reach, estimates.reach) as reach,
            if(trending.reach > 0, trending.reach, estimates.reach) as views,
            engagement / nullIf(views, 0) as engagement_rate,
            trending.plays as plays,
            CAST(null, 'Nullable(UInt64)') as views_rank,
            trending.plays_rank as plays_rank,
            trending.post_type as post_type,
            trending.profile_type as profile_type,
            concat('https://www.instagram.com/reel/', trending.short_code) as post_url,
            coalesce(nullIf(pictures.url, ''), nullIf(newest_posts.thumbnail_url, '')) as thumbnail_url,
            newest_posts.publish_time as publish_time,
            estimates.language as language,
            trending.category as category,
            if(trending.reach > 0, 'insights', 'estimate') as views_source
        from trending
        inner join estimates on estimates.short_code = trending.short_code
        left join newest_posts on newest_posts.shortcode = trending.short_code
        left join pictures on pictures.entity_id = trending.short_code
    )

select *
from final
