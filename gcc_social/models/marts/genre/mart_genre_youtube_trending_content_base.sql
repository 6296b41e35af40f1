{{ config(tags=["daily", "genre"], order_by=["month", "short_code"]) }}

with
    posts as (select * from {{ merged(ref("stg_beat_youtube_post")) }}),

    accounts as (select * from {{ ref("mart_youtube_account") }}),

    {{
        trending_posts(
            account="channel_id",
            category="category",
            owner="channel_id",
            published_at="published_at",
            metric="views",
            counters=["likes", "comments", "views"],
            counts="newest_posts.views > 0",
            title="title",
            description="description",
        )
    }},

    final as (
        select
            profile_id,
            short_code,
            title,
            description,
            post_type,
            profile_type,
            likes,
            comments,
            views,
            category,
            month,
            place as views_rank,
            CAST(null, 'Nullable(UInt64)') as plays_rank
        from trending
    )

select *
from final
