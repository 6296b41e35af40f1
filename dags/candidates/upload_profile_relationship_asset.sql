-- Pictures of Instagram profiles that were seen in lists of followers within a day and have no copy at all. Columns:
-- entity_type, entity_id (profile id), original_url (of the newest sighting), hash, seen_at (time of that sighting).
-- A row tells about the target of the relation when it has the target's picture, else about its source. Only Instagram
-- has such lists in this log. The reference compared with a column that the request events do not have.
with
    sightings as (
        select
            id,
            `timestamp` as seen_at,
            JSONExtractString(ifNull(target_dimensions, ''), 'profile_pic_url') as target_picture,
            if(target_picture != '', target_profile_id, source_profile_id) as profile_id,
            if(
                target_picture != '',
                target_picture,
                JSONExtractString(ifNull(source_dimensions, ''), 'profile_pic_url')
            ) as picture
        from dbt.stg_beat_profile_relationship_log
        where platform = 'INSTAGRAM' and `timestamp` >= now('UTC') - interval 1 day
    )
select
    'PROFILE' as entity_type,
    ifNull(sightings.profile_id, '') as entity_id,
    argMax(sightings.picture, (sightings.seen_at, sightings.id)) as original_url,
    halfMD5(original_url) as hash,
    max(sightings.seen_at) as seen_at
from sightings
where
    sightings.picture != ''
    and entity_id not in (
        select assumeNotNull(copies.entity_id)
        from dbt.stg_beat_asset_log as copies
        where copies.entity_id is not null and copies.entity_type = 'PROFILE'
    )
group by entity_id
