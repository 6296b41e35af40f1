{{ config(tags=["hourly"], order_by="channel_id") }}

with
    videos as (select * from {{ merged(ref("stg_beat_youtube_post")) }}),

    spoken as (
        select channel_id, {{ language_code("audio_language") }} as language, uniqExact(shortcode) as videos_in_language
        from videos
        -- zxx is the code of "no speech"
        where ifNull(channel_id, '') != '' and language is not null and language != 'zxx'
        group by channel_id, language
    ),

    shares as (
        select
            assumeNotNull(channel_id) as channel_id,
            language,
            videos_in_language,
            videos_in_language / sum(videos_in_language) over (partition by channel_id) as share
        from spoken
    ),

    final as (select channel_id, language from shares where share > 0.5 and videos_in_language >= 5)

select *
from final
