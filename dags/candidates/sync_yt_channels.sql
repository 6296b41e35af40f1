-- YouTube channels that were added to the product within six months and still show no followers. Columns:
-- channel_id, added_at. In the reference a channel that hides its subscribers, or has none, was asked for every day
-- for half a year; here a channel that Beat has scraped rests for 30 days, whatever the scrape found.
with
    new_channels as (
        select ifNull(channel_id, '') as channel_id, max(created_at) as added_at
        from dbt.stg_coffee_view_youtube_account_lite
        where ifNull(followers, 0) = 0 and created_at >= now('UTC') - interval 6 month
        group by channel_id
    )
select channel_id, added_at
from new_channels
where
    match(channel_id, '^UC[0-9A-Za-z_-]{21}[AQgw]$')
    and channel_id not in (
        select ifNull(channel_id, '') from dbt.stg_beat_youtube_account where updated_at >= now('UTC') - interval 30 day
    )
