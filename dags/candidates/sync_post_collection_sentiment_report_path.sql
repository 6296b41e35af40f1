-- Post collections of chosen partners that got comments lately. Columns: collection_id, news_at (when a comment was last
-- seen for the first time).
-- A collection needs a comment that was written within two weeks. Each is seen again and again, so the first sight of each
-- tells whether there is anything new; the reference asked for every collection eight times a day. What counts as a first
-- sight (at most two weeks after the comment was written) does not depend on today: while a collection is chosen, none of
-- its comments drops out, and news_at never steps back to a time that was not told. Likes say nothing about
-- the mood. Partners come from a list instead of one number in the query.
with
    collection_posts as (
        select post_collection_id, ifNull(platform, '') as platform, ifNull(short_code, '') as shortcode
        from dbt.stg_coffee_post_collection_item
        where
            ifNull(short_code, '') != ''
            and post_collection_id in (
                select id
                from dbt.stg_coffee_post_collection
                where partner_id in (select partner_id from dbt.comment_partners)
            )
    ),
    comments as (
        select platform, shortcode, min(event_timestamp) as seen_at, max(publish_time) as written_at
        from _e.post_activity_log_events
        where
            activity_type = 'COMMENT'
            and publish_time >= now('UTC') - interval 4 week
            and event_timestamp >= now('UTC') - interval 29 day
            and (platform, shortcode) in (select platform, shortcode from collection_posts)
        group by platform, shortcode, actor_profile_id, JSONExtractString(dimensions, 'comment_id')
        having seen_at <= written_at + interval 2 week
    )
select
    collection_posts.post_collection_id as collection_id,
    max(comments.seen_at) as news_at
from collection_posts
inner join comments on comments.platform = collection_posts.platform and comments.shortcode = collection_posts.shortcode
group by collection_id
having max(comments.written_at) >= now('UTC') - interval 2 week
