-- Instagram posts of chosen collections, published within 90 days or not scraped yet. Columns: shortcode,
-- publish_time (NULL: never scraped). The collections are a seed. The reference sent whatever was in them, videos
-- and stories too.
with
    collection_posts as (
        select distinct post_short_code as shortcode
        from dbt.mart_collection_post
        where
            collection_id in (select collection_id from dbt.refreshed_collections)
            and platform = 'INSTAGRAM'
            and ifNull(post_type, '') != 'story'
            and not match(post_short_code, '^[0-9]*$')
    ),
    known_posts as (
        select ifNull(shortcode, '') as shortcode, toNullable(max(publish_time)) as published
        from dbt.stg_beat_instagram_post
        where shortcode in (select shortcode from collection_posts)
        group by shortcode
    )
select collection_posts.shortcode as shortcode, known_posts.published as publish_time
from collection_posts
left join known_posts on known_posts.shortcode = collection_posts.shortcode
where known_posts.published is null or known_posts.published >= now('UTC') - interval 90 day
