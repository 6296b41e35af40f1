{{ config(tags=["daily"], order_by="target_profile_id") }}

with
    relationships as (select * from {{ merged(ref("stg_beat_profile_relationship_log")) }}),

    followers as (
        select
            assumeNotNull(relationships.target_profile_id) as target_profile_id,
            JSONExtractString(ifNull(source_dimensions, ''), 'handle') as follower_handle
        from relationships
        where
            platform = 'INSTAGRAM'
            and relationship_type = 'FOLLOWS'
            and ifNull(relationships.target_profile_id, '') != ''
            and follower_handle != ''
    ),

    final as (
        select target_profile_id, uniqExact(follower_handle) as followers_in_db
        from followers
        group by target_profile_id
    )

select *
from final
