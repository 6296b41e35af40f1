{% macro collection_days(collection_type, platform, posts, readings, fake_events) %}
    {#-
    CTEs that end in one named collection_days: a row per collection, item and day from the post's first reading to the end of the collection, gaps
    filled, with the owner and the followers of that day.
-#}
    {%- set counts = ["likes", "comments", "plays"] %}
    {%- set estimates = ["views", "real_reach", "real_impressions"] %}
    {%- set carried = [
        "saves",
        "shares",
        "swipe_ups",
        "mentions",
        "sticker_taps",
        "story_exits",
        "story_back_taps",
        "story_forward_taps",
    ] %}
    all_posts as (select * from {{ posts }}),

    all_readings as (select * from {{ readings }}),

    fake_events as (select * from {{ fake_events }}),

    follower_log as (select * from {{ merged(ref("stg_beat_profile_log")) }}),

    collection_ends as ({{ collection_ends("all_posts", "all_readings") }}),

    posts as (select * from all_posts where platform = '{{ platform }}' and collection_type = '{{ collection_type }}'),

    readings_and_fake_events as (
        select
            post_short_code,
            stats_date,
            {% for metric in counts %} {{ metric }}, {% endfor %}
            {% for metric in estimates %} toFloat64({{ metric }}) as {{ metric }}, {% endfor %}
            {% for metric in carried %} {{ metric }}, {% endfor %}
            read_at,
            0 as is_fake
        from all_readings
        where platform = '{{ platform }}' and post_short_code in (select post_short_code from posts)
        union all
        select
            post_short_code,
            stats_date,
            {% for metric in counts + estimates %} {{ metric }}, {% endfor %}
            {% for metric in carried %} null, {% endfor %}
            toDateTime(0),
            1
        from fake_events
        where platform = '{{ platform }}' and post_short_code in (select post_short_code from posts)
    ),

    -- A fake event stands in for the reading of its day. argMax passes over NULL.
    readings as (
        select
            post_short_code,
            stats_date,
            {% for metric in counts + estimates %} argMax({{ metric }}, is_fake) as {{ metric }}, {% endfor %}
            {% for metric in carried %} max({{ metric }}) as {{ metric }}, {% endfor %}
            max(read_at) as last_read_at
        from readings_and_fake_events
        group by post_short_code, stats_date
    ),

    -- Fake events know six counters; the others are carried here.
    days as (
        select
            readings.post_short_code as post_short_code,
            readings.stats_date as stats_date,
            {% for metric in counts + estimates %} readings.{{ metric }} as {{ metric }}, {% endfor %}
            {% for metric in carried %} {{ last_known(metric) }} as {{ metric }}, {% endfor %}
            max(readings.last_read_at) over so_far as updated_at
        from readings
        window
            so_far as (
                partition by readings.post_short_code
                order by readings.stats_date
                rows between unbounded preceding and current row
            )
    ),

    item_days as (
        select
            posts.collection_type as collection_type,
            posts.collection_id as collection_id,
            posts.post_collection_item_id as post_collection_item_id,
            posts.post_short_code as post_short_code,
            posts.post_type as post_type,
            posts.post_title as post_title,
            posts.post_link as post_link,
            posts.post_thumbnail as post_thumbnail,
            posts.hashtags as hashtags,
            posts.keywords as keywords,
            posts.published_at as published_at,
            posts.profile_id as profile_id,
            ifNull(posts.profile_id, '') as owner,
            posts.post_handle as post_handle,
            days.stats_date as stats_date,
            {% for metric in counts + estimates + carried %} days.{{ metric }} as {{ metric }}, {% endfor %}
            days.likes + days.comments as total_engagement,
            days.updated_at as updated_at
        from posts
        inner join days on days.post_short_code = posts.post_short_code
        inner join
            collection_ends
            on collection_ends.collection_type = posts.collection_type
            and collection_ends.collection_id = posts.collection_id
        where days.stats_date <= collection_ends.last_day
    ),

    follower_days as (
        select profile_id as owner, date, followers
        from follower_log
        where
            platform = '{{ platform }}'
            and followers is not null
            and profile_id in (select assumeNotNull(posts.profile_id) from posts where posts.profile_id is not null)
    ),

    collection_days as (
        select item_days.*, follower_days.followers as followers_of_day
        from item_days
        asof left join
            follower_days on follower_days.owner = item_days.owner and follower_days.date <= item_days.stats_date
    )
{% endmacro %}
