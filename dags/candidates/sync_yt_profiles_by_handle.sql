-- Tracked YouTube channels that are due for a refresh; the model decides how urgent each is and when it is due.
-- Columns: channel_id, priority (0 first), next_attempt. A channel that is gone never fails a request, it is merely
-- missing in the answer, and in the reference it came back every day. Here a channel that Beat was asked about ten
-- times in 60 days without learning anything about it is left out until the older requests are 60 days old.
with
    due_channels as (
        select handle as channel_id, priority, next_attempt
        from dbt.mart_youtube_tracked_profiles
        where next_attempt <= now('UTC')
    ),
    often_asked as (
        select arrayJoin(JSONExtract(ifNull(params, ''), 'channel_ids', 'Array(String)')) as channel_id
        from dbt.stg_beat_scrape_request_log final
        where flow = 'refresh_yt_profiles' and status = 'COMPLETE' and created_at >= now('UTC') - interval 60 day
        group by channel_id
        having count() >= 10
    ),
    answered as (
        select ifNull(channel_id, '') as channel_id
        from dbt.stg_beat_youtube_account
        where updated_at >= now('UTC') - interval 60 day
    )
select channel_id, priority, next_attempt
from due_channels
where channel_id not in (select channel_id from often_asked) or channel_id in (select channel_id from answered)
