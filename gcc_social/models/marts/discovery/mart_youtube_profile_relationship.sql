{{ config(tags=["daily"], order_by="handle") }}

with
    requests as (select * from {{ merged(ref("stg_beat_scrape_request_log")) }}),

    final as (
        select JSONExtractString(ifNull(params, ''), 'channel_id') as handle, max(scraped_at) as last_activities_attempt
        from requests
        where flow = 'refresh_yt_profile_relationship' and status in ('COMPLETE', 'FAILED') and handle != ''
        group by handle
    )

select *
from final
