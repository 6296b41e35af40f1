{% macro collection_readings(posts) %}
    {#- What the scraper read of collected posts, one row per post and day; a day in the future is a wrong clock. -#}
    with
        posts as (select * from {{ posts }}),

        post_days as (select * from {{ merged(ref("stg_beat_post_log")) }}),

        final as (
            select
                post_days.platform as platform,
                post_days.shortcode as post_short_code,
                post_days.date as stats_date,
                coalesce(nullIf(post_days.views, 0), post_days.plays, post_days.views) as views,
                post_days.likes as likes,
                post_days.comments as comments,
                post_days.plays as plays,
                post_days.reach as real_reach,
                post_days.impressions as real_impressions,
                post_days.saved as saves,
                post_days.shares as shares,
                post_days.swipe_up as swipe_ups,
                {{ json_integer("post_days.metrics", "mentions") }} as mentions,
                {{ json_integer("post_days.metrics", "sticker_taps") }} as sticker_taps,
                post_days.tap_exit as story_exits,
                post_days.tap_back as story_back_taps,
                post_days.tap_forward as story_forward_taps,
                post_days.event_timestamp as read_at
            from post_days
            where
                (post_days.platform, post_days.shortcode) in (select platform, post_short_code from posts)
                and post_days.date <= toDate({{ run_time() }})
        )

    select *
    from final

{% endmacro %}
