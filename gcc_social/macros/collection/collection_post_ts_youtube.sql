{% macro collection_post_ts_youtube(collection_type, posts, readings, fake_events, item_clicks=none) %}
    {#- Daily series of YouTube videos. YouTube tells neither reach nor impressions: views stand in for both. -#}
    with
        {{ collection_days(collection_type, "YOUTUBE", posts, readings, fake_events) }},

        {% if item_clicks -%} item_clicks as (select * from {{ item_clicks }}), {%- endif %}

        channel_rows as (select * from {{ ref("stg_beat_youtube_account") }}),

        channels as (
            select
                assumeNotNull(channel_rows.channel_id) as owner,
                coalesce(nullIf(channel_rows.custom_url, ''), nullIf(channel_rows.title, '')) as name,
                channel_rows.subscribers as subscribers
            from channel_rows
            where channel_rows.channel_id != ''
            order by channel_rows.updated_at desc nulls last, channel_rows.id desc
            limit 1 by owner
        ),

        measured_days as (
            select
                collection_days.*,
                collection_days.profile_id as profile_handle,
                channels.name as profile_name,
                coalesce(collection_days.followers_of_day, channels.subscribers) as owner_followers,
                collection_days.views as reach,
                collection_days.views as impressions
            from collection_days
            left join channels on channels.owner = collection_days.owner
        ),

        final as ({{ post_ts_rows("YOUTUBE", item_clicks) }})

    select *
    from final

{% endmacro %}
