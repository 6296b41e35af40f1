-- Indian channels whose subscriptions were never looked at, or not for 90 days. Columns: channel_id, last_attempt
-- (NULL: never). They come from the bought list, which nothing renews, and from the newest daily load of the search
-- index. In the reference a channel that was looked at once was never looked at again, and the comparison relied on
-- a server that fills unmatched rows with empty text.
with
    channels as (
        select id as channel_id
        from vidooly.youtube_channels_india
        where id != ''
        union distinct
        select id
        from vidooly.youtube_channels
        where id != '' and country = 'IN' and load_date = (select max(load_date) from vidooly.youtube_channels)
    ),
    attempts as (
        select handle as channel_id, toNullable(last_activities_attempt) as last_attempt
        from dbt.mart_youtube_profile_relationship
    )
select channels.channel_id as channel_id, attempts.last_attempt as last_attempt
from channels
left join attempts on attempts.channel_id = channels.channel_id
where attempts.last_attempt is null or attempts.last_attempt < now('UTC') - interval 90 day
