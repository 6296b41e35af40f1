-- Stories of the last 30 hours of accounts that gave access to their own data: a story lives for a day, its figures
-- for a little longer. Columns: story_id, shortcode, profile_id, handle (none of them empty), publish_time.
select post_id as story_id, shortcode, profile_id, handle, publish_time
from dbt.stg_beat_instagram_post final
where
    post_type = 'story'
    and publish_time >= now('UTC') - interval 30 hour
    and handle in (select handle from dbt.stg_beat_credential where source = 'graphapi' and enabled = 1)
    and post_id != ''
    and shortcode != ''
    and profile_id != ''
    and handle != ''
