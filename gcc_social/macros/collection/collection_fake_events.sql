{% macro collection_fake_events(readings, posts) %}
    {#-
    Days that the scraper missed, between the first reading of a post and the end of its collections, and readings in which a counter is missing.
    From readings, not from series: series read these rows.
-#}
    {%- set counters = ["views", "likes", "comments", "plays", "real_impressions"] %}

    with
        readings as (select * from {{ readings }}),

        posts as (select * from {{ posts }}),

        collection_ends as ({{ collection_ends("posts", "readings") }}),

        post_ends as (
            select posts.platform as platform, posts.post_short_code as post_short_code, max(last_day) as last_day
            from posts
            inner join
                collection_ends
                on collection_ends.collection_type = posts.collection_type
                and collection_ends.collection_id = posts.collection_id
            group by posts.platform, posts.post_short_code
        ),

        carried as (
            select
                readings.*,
                {% for counter in counters %} {{ last_known(counter) }} as last_{{ counter }}, {% endfor %}
                argMaxIf(readings.real_reach, readings.stats_date, readings.real_reach > 0) over so_far
                as last_real_reach,
                minIf(readings.real_reach, readings.real_reach > 0) over of_post as first_real_reach,
                leadInFrame(readings.stats_date, 1, post_ends.last_day + 1) over of_post as next_day
            from readings
            inner join
                post_ends
                on post_ends.platform = readings.platform
                and post_ends.post_short_code = readings.post_short_code
            window
                so_far as (
                    partition by readings.platform, readings.post_short_code
                    order by readings.stats_date
                    rows between unbounded preceding and current row
                ),
                of_post as (
                    partition by readings.platform, readings.post_short_code
                    order by readings.stats_date
                    rows between unbounded preceding and unbounded following
                )
        ),

        filled as (
            select
                *,
                -- A post that was played was reached before anybody connected the account.
                coalesce(last_real_reach, if(last_plays > 0, first_real_reach, null), real_reach) as filled_real_reach
            from carried
        ),

        -- One row per reading and per missed day after it.
        days as (select *, arrayJoin(range(toUInt32(next_day - stats_date))) as days_later from filled),

        final as (
            select
                platform,
                post_short_code,
                days.stats_date + days_later as stats_date,
                toFloat64(last_views) as views,
                last_likes as likes,
                last_comments as comments,
                last_plays as plays,
                toFloat64(filled_real_reach) as real_reach,
                toFloat64(last_real_impressions) as real_impressions
            from days
            where
                days_later > 0 or ifNull(filled_real_reach, -1) != ifNull(days.real_reach, -1)
                {%- for counter in counters %}
                    or ifNull(last_{{ counter }}, -1) != ifNull(days.{{ counter }}, -1)
                {%- endfor %}
        )

    select *
    from final

{% endmacro %}
