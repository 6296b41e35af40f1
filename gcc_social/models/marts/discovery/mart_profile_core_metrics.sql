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
            {{ post_class("post_type") }} as post_class,
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
            'video',
            published_at,
            likes,
            comments,
            views,
            updated_at,
            id
        from youtube_posts
        where channel_id != '' and shortcode != ''
    ),

    newest_versions as (select * from published order by updated_at desc, id desc limit 1 by platform, shortcode),

    ranked as (
        select
            *,
            row_number() over (
                partition by platform, profile_id order by published_at desc nulls last, shortcode desc
            ) as post_rank,
            row_number() over (
                partition by platform, profile_id, post_class order by published_at desc nulls last, shortcode desc
            ) as post_rank_by_class
        from newest_versions
    ),

    recent as (
        select
            *,
            post_rank <= {{ var("recent_posts") }} as is_recent,
            post_class in ('reels', 'video') and post_rank_by_class <= {{ var("recent_posts") }} as is_recent_video
        from ranked
        where post_rank_by_class <= {{ var("recent_posts") }}
    ),

    averages as (
        select
            platform,
            profile_id,
            sumIf(recent.likes, is_recent) / nullIf(countIf(is_recent), 0) as avg_likes,
            sumIf(recent.comments, is_recent) / nullIf(countIf(is_recent), 0) as avg_comments,
            sumIf(recent.likes + recent.comments, is_recent) / nullIf(countIf(is_recent), 0) as avg_engagement,
            sumIf(recent.views, is_recent_video) / nullIf(countIf(is_recent_video), 0) as avg_views
        from recent
        group by platform, profile_id
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
