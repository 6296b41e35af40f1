{{ config(tags=["deprecated"], order_by=["date", "platform_id"]) }}

with
    youtube_weeks as (select * from {{ ref("mart_yt_account_weekly") }}),

    instagram_weeks as (select * from {{ ref("mart_insta_account_weekly") }}),

    indian_channels as (select channel_id as platform_id from {{ ref("int_youtube_account") }} where country = 'IN'),

    indian_profiles as (select ig_id as platform_id from {{ ref("int_instagram_account") }} where country = 'IN'),

    final as (
        {{ time_series_rows("YOUTUBE", "youtube_weeks", "indian_channels", with_gaps=true) }}
        union all
        {{ time_series_rows("INSTAGRAM", "instagram_weeks", "indian_profiles", with_gaps=true) }}
    )

select *
from final
