-- Thumbnails of Instagram posts that were read within 12 hours and have no copy yet. Columns: entity_type, entity_id (short
-- code), original_url (of the newest reading with a thumbnail), hash, is_story, seen_at (time of that reading).
-- A post is a story when any of its readings says so: upload_post_asset_stories takes the stories, upload_post_asset the
-- rest. In the reference both took the stories.
select
    'POST' as entity_type,
    readings.shortcode as entity_id,
    argMaxIf(
        JSONExtractString(readings.dimensions, 'thumbnail_src'),
        (readings.event_timestamp, readings.event_id),
        JSONExtractString(readings.dimensions, 'thumbnail_src') != ''
    ) as original_url,
    halfMD5(original_url) as hash,
    max(JSONExtractString(readings.dimensions, 'post_type') = 'story') as is_story,
    maxIf(readings.event_timestamp, JSONExtractString(readings.dimensions, 'thumbnail_src') != '') as seen_at
from _e.post_log_events as readings
where
    readings.platform = 'INSTAGRAM'
    and readings.event_timestamp >= now('UTC') - interval 12 hour
    and readings.shortcode not in (
        select assumeNotNull(copies.entity_id)
        from dbt.stg_beat_asset_log as copies
        where copies.entity_id is not null and ifNull(copies.entity_type, 'POST') = 'POST'
    )
group by entity_id
having original_url != ''
