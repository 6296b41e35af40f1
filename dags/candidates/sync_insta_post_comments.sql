-- Posts of the collections of chosen partners whose comments are worth fetching. Columns: shortcode, publish_time. A
-- post has to be four days old, so that most of its comments are there, and to have comments at all. In the
-- reference both conditions stood in an outer join, where they left nobody out and put the wrong posts first; and
-- one stored comment was enough for a post to be never asked for again. Here it is asked for again in its first 60
-- days, a week after the last time, while less than half of its comments (of the thousand that one request fetches)
-- are stored.
with
    collection_posts as (
        select distinct ifNull(short_code, '') as shortcode
        from dbt.stg_coffee_post_collection_item
        where
            platform = 'INSTAGRAM'
            and post_type != 'story'
            and not match(ifNull(short_code, ''), '^[0-9]*$')
            and post_collection_id in (
                select id
                from dbt.stg_coffee_post_collection
                where partner_id in (select partner_id from dbt.comment_partners)
            )
    ),
    posts as (
        select
            ifNull(shortcode, '') as shortcode,
            max(publish_time) as published,
            argMax(comments, (updated_at, id)) as comment_count
        from dbt.stg_beat_instagram_post final
        where shortcode in (select shortcode from collection_posts)
        group by shortcode
    ),
    stored_comments as (
        select
            shortcode,
            uniqExact(actor_profile_id, JSONExtractString(dimensions, 'comment_id')) as stored,
            max(event_timestamp) as stored_at
        from _e.post_activity_log_events
        where
            platform = 'INSTAGRAM'
            and activity_type = 'COMMENT'
            and shortcode in (select shortcode from collection_posts)
        group by shortcode
    )
select posts.shortcode as shortcode, posts.published as publish_time
from posts
left join stored_comments on stored_comments.shortcode = posts.shortcode
where
    posts.published <= now('UTC') - interval 4 day
    and posts.comment_count > 0
    and (
        ifNull(stored_comments.stored, 0) = 0
        or (
            stored_comments.stored < least(posts.comment_count, 1000) / 2
            and stored_comments.stored_at < now('UTC') - interval 7 day
            and posts.published >= now('UTC') - interval 60 day
        )
    )
