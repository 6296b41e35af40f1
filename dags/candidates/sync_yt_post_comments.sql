-- YouTube videos of the collections of chosen partners whose comments are worth fetching. Columns: shortcode,
-- published_at. The same rules as for Instagram: a video has to be four days old, so that most of its comments are
-- there, and to have comments at all. In the reference both conditions stood in an outer join, where they left
-- nobody out. A video is asked for again in its first 60 days, a week after the last time, while less than half of
-- its comments (of the thousand that one request fetches) are stored.
with
    collection_videos as (
        select distinct ifNull(short_code, '') as shortcode
        from dbt.stg_coffee_post_collection_item
        where
            platform = 'YOUTUBE'
            and not match(ifNull(short_code, ''), '^[0-9]*$')
            and post_collection_id in (
                select id
                from dbt.stg_coffee_post_collection
                where partner_id in (select partner_id from dbt.comment_partners)
            )
    ),
    videos as (
        select
            ifNull(shortcode, '') as shortcode,
            max(published_at) as published,
            argMax(comments, (updated_at, id)) as comment_count
        from dbt.stg_beat_youtube_post final
        where shortcode in (select shortcode from collection_videos)
        group by shortcode
    ),
    stored_comments as (
        select
            shortcode,
            uniqExact(actor_profile_id, JSONExtractString(dimensions, 'comment_id')) as stored,
            max(event_timestamp) as stored_at
        from _e.post_activity_log_events
        where
            platform = 'YOUTUBE'
            and activity_type = 'COMMENT'
            and shortcode in (select shortcode from collection_videos)
        group by shortcode
    )
select videos.shortcode as shortcode, videos.published as published_at
from videos
left join stored_comments on stored_comments.shortcode = videos.shortcode
where
    videos.published <= now('UTC') - interval 4 day
    and videos.comment_count > 0
    and (
        ifNull(stored_comments.stored, 0) = 0
        or (
            stored_comments.stored < least(videos.comment_count, 1000) / 2
            and stored_comments.stored_at < now('UTC') - interval 7 day
            and videos.published >= now('UTC') - interval 60 day
        )
    )
