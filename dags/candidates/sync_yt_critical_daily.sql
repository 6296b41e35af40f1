-- Channels whose figures must be of today, from a seed. Column: channel_id. The list was part of the code in the
-- reference.
select trim(channel_id) as channel_id from dbt.critical_youtube_channels
