{{ config(tags=["hourly"], order_by=["platform", "platform_id"]) }}

with
    instagram_insights as (select * from {{ ref("stg_beat_instagram_profile_insights") }}),

    youtube_insights as (select * from {{ ref("stg_beat_youtube_profile_insights") }}),

    -- Nothing upstream enforces one row per account.
    latest_instagram_insights as (
        select *
        from instagram_insights
        where profile_id != ''
        order by updated_at desc nulls last, id desc
        limit 1 by profile_id
    ),

    latest_youtube_insights as (
        select *
        from youtube_insights
        where channel_id != ''
        order by updated_at desc nulls last, id desc
        limit 1 by channel_id
    ),

    connected_accounts as (
        select
            'INSTAGRAM' as platform,
            assumeNotNull(profile_id) as platform_id,
            nullIf(handle, '') as platform_handle,
            {{ insights_gender_age("audience_gender_age") }} as ages,
            {{ json_parts("audience_city", city_name("name")) }} as cities,
            {{ json_parts("audience_country", "trim(name)") }} as countries
        from latest_instagram_insights
        union all
        select
            'YOUTUBE',
            assumeNotNull(channel_id),
            toNullable(assumeNotNull(channel_id)),
            {{ insights_gender_age("gender_age", band_prefix="age", oldest="65-") }},
            {{ json_parts("city", city_name("name")) }},
            {{ json_parts("country", "trim(name)") }}
        from latest_youtube_insights
    ),

    final as ({{ audience_row("connected_accounts", tier="private", source="'insights'") }})

select *
from final
