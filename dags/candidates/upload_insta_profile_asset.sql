-- Instagram profile pictures that were read within 12 hours and differ from the copy. Columns: entity_type, entity_id
-- (profile id), original_url (of the newest reading with a picture), hash, seen_at (time of that reading).
-- The address of a picture is signed anew with every reading; its path names the picture. In the reference the whole
-- address counted, and copies were not looked at, so the same picture was copied every day.
with
    pictures as (
        select
            readings.profile_id as entity_id,
            argMax(
                JSONExtractString(readings.dimensions, 'profile_pic_url'),
                (readings.event_timestamp, readings.event_id)
            ) as original_url,
            max(readings.event_timestamp) as seen_at
        from _e.profile_log_events as readings
        where
            readings.platform = 'INSTAGRAM'
            and readings.event_timestamp >= now('UTC') - interval 12 hour
            and JSONExtractString(readings.dimensions, 'profile_pic_url') != ''
        group by entity_id
    )
select 'PROFILE' as entity_type, entity_id, original_url, halfMD5(original_url) as hash, seen_at
from pictures
where
    (entity_id, path(original_url)) not in (
        select assumeNotNull(copies.entity_id), path(ifNull(copies.original_url, ''))
        from dbt.stg_beat_asset_log as copies final
        where copies.entity_id is not null and copies.entity_type = 'PROFILE'
    )
