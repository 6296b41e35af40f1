-- Instagram posts of post collections that are worth a refresh. Columns: shortcode, publish_time (NULL: never
-- scraped). A post counts while it is young: added to a collection within two months, published within 14 days or
-- not yet known. Short codes made of digits only are stories, which have a flow of their own.
with
    collection_posts as (
        select distinct ifNull(short_code, '') as shortcode
        from dbt.stg_coffee_post_collection_item
        where
            platform = 'INSTAGRAM'
            and post_type in ('reels', 'image', 'carousel')
            and not match(ifNull(short_code, ''), '^[0-9]*$')
            and created_at >= now('UTC') - interval 2 month
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
where known_posts.published is null or known_posts.published >= now('UTC') - interval 14 day
