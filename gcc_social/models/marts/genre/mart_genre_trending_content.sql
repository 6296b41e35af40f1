{{ config(tags=["daily", "genre"], order_by=["month", "short_code"]) }}

with
    reels as (select * from {{ ref("mart_genre_instagram_trending_content_with_rank") }}),

    videos as (select * from {{ ref("mart_genre_youtube_trending_content_with_rank") }}),

    final as (
        {{ trending_content_rows("reels") }}
        union all
        {{ trending_content_rows("videos") }}
    )

select *
from final
