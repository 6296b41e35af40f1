-- Tracked YouTube channels whose newest videos are due; the model decides how urgent each is and when it is due.
-- Columns: channel_id, priority (0 first), next_videos_attempt. The reference looked for earlier requests under the
-- name of another flow, found none, and asked about the same 500 channels every ten minutes.
select handle as channel_id, priority, next_videos_attempt
from dbt.mart_youtube_tracked_profiles
where next_videos_attempt <= now('UTC')
