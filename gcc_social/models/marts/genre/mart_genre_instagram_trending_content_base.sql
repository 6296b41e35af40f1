{{ config(tags=["daily", "genre"], order_by=["month", "short_code"]) }}

with
    posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

    accounts as (select * from {{ ref("mart_instagram_account") }}),

    {{
        trending_posts(
            account="ig_id",
            category="primary_category",
            owner="profile_id",
            published_at="publish_time",
            metric="plays",
            counters=["likes", "comments", "views", "plays", "reach"],
            counts="newest_posts.post_type = 'reels' and newest_posts.plays > 0 and newest_posts.likes > 0",
            title="caption",
            description="caption",
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
            plays,
            reach,
            category,
            month,
            place as plays_rank
        from trending
    )

select *
from final
