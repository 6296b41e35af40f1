{% macro post_ts_rows(platform, item_clicks=none) %}
    {#- The columns of every daily series, from measured_days of the caller. Only posts of post collections have sponsor links. -#}
    {%- set totals = item_totals() %}
    select
        -- -------- the post
        '{{ platform }}' as platform,
        measured_days.post_short_code as post_short_code,
        measured_days.post_type as post_type,
        measured_days.post_collection_item_id as post_collection_item_id,
        measured_days.post_title as post_title,
        measured_days.post_link as post_link,
        measured_days.post_thumbnail as post_thumbnail,
        measured_days.hashtags as hashtags,
        measured_days.keywords as keywords,
        measured_days.published_at as published_at,

        -- -------- its owner
        measured_days.profile_id as profile_social_id,
        measured_days.profile_handle as profile_handle,
        measured_days.post_handle as post_handle,
        measured_days.profile_name as profile_name,

        -- -------- its collection
        measured_days.collection_type as collection_type,
        measured_days.collection_id as collection_id,
        measured_days.owner_followers as followers,
        {% for total in totals %}
            {% if item_clicks -%} item_clicks.{{ total }} {%- else -%} toUInt64(0) {%- endif %} as {{ total }},
        {% endfor %}

        -- -------- the day
        measured_days.stats_date as stats_date,
        measured_days.views as views,
        measured_days.likes as likes,
        measured_days.comments as comments,
        measured_days.impressions as impressions,
        measured_days.saves as saves,
        measured_days.plays as plays,
        measured_days.reach as reach,
        measured_days.swipe_ups as swipe_ups,
        measured_days.mentions as mentions,
        measured_days.sticker_taps as sticker_taps,
        measured_days.shares as shares,
        measured_days.story_exits as story_exits,
        measured_days.story_back_taps as story_back_taps,
        measured_days.story_forward_taps as story_forward_taps,
        measured_days.total_engagement as total_engagement,
        {{ collection_engagement_rate("measured_days.total_engagement", "measured_days.reach") }} as engagement_rate,
        measured_days.real_reach as real_reach,
        measured_days.real_impressions as real_impressions,
        measured_days.updated_at as updated_at
    from measured_days
    {% if item_clicks -%}
        left join item_clicks on item_clicks.post_collection_item_id = measured_days.post_collection_item_id
    {%- endif %}
{% endmacro %}
