{{ config(tags=["weekly"], order_by="shortcode") }}

with
    scraped_posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

    -- argMax skips NULL: the latest that is known of each.
    posts as (
        select
            assumeNotNull(scraped_posts.shortcode) as shortcode,
            argMax(nullIf(scraped_posts.profile_id, ''), (updated_at, id)) as profile_id,
            argMax(nullIf(scraped_posts.handle, ''), (updated_at, id)) as handle,
            argMax(scraped_posts.caption, (updated_at, id)) as caption
        from scraped_posts
        where ifNull(scraped_posts.shortcode, '') != ''
        group by shortcode
    ),

    final as (
        select
            profile_id,
            handle,
            shortcode,
            {{ hashtags_in("caption") }} as hashtags,
            arrayMap(hashtag -> lowerUTF8(hashtag), hashtags) as hashtags_l
        from posts
    )

select *
from final
