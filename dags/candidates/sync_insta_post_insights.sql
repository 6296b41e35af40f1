-- Posts of the last month of accounts that gave access to their own data. Columns: shortcode, handle, post_id,
-- post_type (none of them empty), publish_time. Stories have a flow of their own.
select shortcode, handle, post_id, post_type, publish_time
from dbt.stg_beat_instagram_post final
where
    post_type in ('reels', 'image', 'carousel')
    and publish_time >= now('UTC') - interval 1 month
    and handle in (select handle from dbt.stg_beat_credential where source = 'graphapi' and enabled = 1)
    and post_id != ''
    and shortcode != ''
    and handle != ''
