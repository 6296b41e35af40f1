{{
    config(
        tags=["core"],
        order_by=["platform", "profile_id"],
        query_settings={
            "max_bytes_before_external_group_by": 600000000,
            "max_bytes_before_external_sort": 600000000,
            "join_algorithm": "full_sorting_merge",
        },
    )
}}

with
    profile_days as (select * from {{ merged(ref("stg_beat_profile_log")) }}),

    instagram_accounts as (select * from {{ ref("stg_beat_instagram_account") }}),

    youtube_accounts as (select * from {{ ref("stg_beat_youtube_account") }}),

    instagram_posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

    youtube_posts as (select * from {{ merged(ref("stg_beat_youtube_post")) }}),

    -- What the event log and the scraper's tables say about a profile; `newest` orders it by the time of the scrape.
    readings as (
        select
            platform,
            profile_id,
            if(platform = 'INSTAGRAM', nullIf(handle, ''), null) as handle,
            followers,
            following,
            uploads as posts,
            (toDateTime64(event_timestamp, 6), 1, toInt64(0)) as newest
        from profile_days
        union all
        select
            'INSTAGRAM',
            assumeNotNull(profile_id),
            nullIf(handle, ''),
            followers,
            following,
            media_count,
            (toDateTime64(ifNull(updated_at, toDateTime64(0, 6)), 6), 0, toInt64(id))
        from instagram_accounts
        where profile_id != ''
        union all
        select
            'YOUTUBE',
            assumeNotNull(channel_id),
            nullIf(custom_url, ''),
            subscribers,
            null,
            uploads,
            (toDateTime64(ifNull(updated_at, toDateTime64(0, 6)), 6), 0, toInt64(id))
        from youtube_accounts
        where channel_id != ''
    ),

    -- argMax passes over NULL: what the newest reading does not know comes from the one before.
    profiles as (
        select
            platform,
            profile_id,
            argMax(readings.handle, newest) as handle,
            argMax(readings.followers, newest) as followers,
            argMax(readings.following, newest) as following,
            argMax(readings.posts, newest) as posts,
            nullIf(max(newest .1), toDateTime64(0, 6)) as newest_event_at
        from readings
        group by platform, profile_id
    ),

    published as (
        select
            'INSTAGRAM' as platform,
            assumeNotNull(profile_id) as profile_id,
            assumeNotNull(shortcode) as shortcode,
            {{ post_class("post_type") }} = 'reels' as is_video,
            publish_time as published_at,
            likes,
            comments,
            plays as views,
            updated_at,
            id
        from instagram_posts
        where profile_id != '' and shortcode != '' and post_type != 'story'
        union all
        select
            'YOUTUBE',
            assumeNotNull(channel_id),
            assumeNotNull(shortcode),
            true,
            published_at,
            likes,
            comments,
            views,
            updated_at,
            id
        from youtube_posts
        where channel_id != '' and shortcode != ''
    ),

    -- Few posts have several versions: sorting each post's own is many times cheaper than an argMax of tuples.
    newest_versions as (
        select
            platform,
            shortcode,
            arrayReverseSort(
                groupArray(
                    (
                        ifNull(updated_at, toDateTime64(0, 6)),
                        id,
                        (profile_id, is_video, published_at, likes, comments, views)
                    )
                )
            )[1] .3 as post
        from published
        group by platform, shortcode
    ),

    -- From the newest post to the oldest, those of unknown age last.
    timelines as (
        select
            platform,
            post .1 as profile_id,
            arrayReverseSort(
                groupArray(
                    (
                        isNotNull(post .3),
                        ifNull(post .3, toDateTime64(0, 6)),
                        shortcode,
                        post .2 as is_video,
                        post .4 as likes,
                        post .5 as comments,
                        post .6 as views
                    )
                )
            ) as posts
        from newest_versions
        group by platform, profile_id
    ),

    recent as (
        select
            platform,
            profile_id,
            arraySlice(posts, 1, {{ var("recent_posts") }}) as recent_posts,
            arraySlice(arrayFilter(post -> post .4, posts), 1, {{ var("recent_posts") }}) as recent_videos
        from timelines
    ),

    averages as (
        select
            platform,
            profile_id,
            arrayReduce('sum', arrayMap(post -> post .5, recent_posts)) / length(recent_posts) as avg_likes,
            arrayReduce('sum', arrayMap(post -> post .6, recent_posts)) / length(recent_posts) as avg_comments,
            arrayReduce('sum', arrayMap(post -> post .5 + post .6, recent_posts))
            / length(recent_posts) as avg_engagement,
            arrayReduce('sum', arrayMap(post -> post .7, recent_videos)) / nullIf(length(recent_videos), 0) as avg_views
        from recent
    ),

    final as (
        select
            profiles.platform as platform,
            profiles.profile_id as profile_id,
            profiles.handle as handle,
            profiles.followers as followers,
            profiles.following as following,
            profiles.posts as posts,
            averages.avg_engagement / nullIf(profiles.followers, 0) as engagement_rate,
            averages.avg_likes as avg_likes,
            averages.avg_comments as avg_comments,
            averages.avg_views as avg_views,
            profiles.newest_event_at as newest_event_at
        from profiles
        left join averages on averages.platform = profiles.platform and averages.profile_id = profiles.profile_id
    )

select *
from final
