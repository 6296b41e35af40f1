-- Post collections of chosen partners that got comments lately. Columns: collection_id, news_at (when a comment was last
-- seen for the first time).
-- A comment counts when it was written within two weeks. Each is seen again and again, so the first sight of each tells
-- whether there is anything new; the reference asked for every collection eight times a day. Likes say nothing about
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
        select platform, shortcode, min(event_timestamp) as seen_at
        from _e.post_activity_log_events
        where
            activity_type = 'COMMENT'
            and publish_time >= now('UTC') - interval 2 week
            and event_timestamp >= now('UTC') - interval 15 day
            and (platform, shortcode) in (select platform, shortcode from collection_posts)
        group by platform, shortcode, actor_profile_id, JSONExtractString(dimensions, 'comment_id')
    )
select
    collection_posts.post_collection_id as collection_id,
    max(comments.seen_at) as news_at
from collection_posts
inner join comments on comments.platform = collection_posts.platform and comments.shortcode = collection_posts.shortcode
group by collection_id
