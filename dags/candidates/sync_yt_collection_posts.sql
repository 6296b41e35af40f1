-- YouTube videos of post collections that are worth a refresh. Columns: post_id, published_at (NULL: never
-- scraped). A video counts while it is young: published within 50 days, or not yet known and added to a collection
-- within 50 days. In the reference an unknown video, such as a deleted one, stayed a candidate for ever. Short
-- codes made of digits only are no video ids.
with
    collection_videos as (
        select ifNull(short_code, '') as post_id, max(created_at) as added_at
        from dbt.stg_coffee_post_collection_item
        where platform = 'YOUTUBE' and not match(ifNull(short_code, ''), '^[0-9]*$')
        group by post_id
    ),
    known_videos as (
        select ifNull(shortcode, '') as post_id, toNullable(max(published_at)) as published
        from dbt.stg_beat_youtube_post
        where shortcode in (select post_id from collection_videos)
        group by post_id
    )
select collection_videos.post_id as post_id, known_videos.published as published_at
from collection_videos
left join known_videos on known_videos.post_id = collection_videos.post_id
where
    if(known_videos.published is null, collection_videos.added_at, known_videos.published)
    >= now('UTC') - interval 50 day
