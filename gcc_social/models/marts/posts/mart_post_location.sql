{{ config(tags=["weekly"], order_by="short_code") }}

with
    events as (select * from {{ source("_e", "post_log_events") }}),

    observations as (
        select
            shortcode,
            profile_id,
            handle,
            source,
            event_timestamp,
            event_id,
            -- A place is a name, or an object that has one.
            multiIf(
                JSONType(dimensions, 'location') = 'String',
                JSONExtractString(dimensions, 'location'),
                JSONType(dimensions, 'location') = 'Object',
                JSONExtractString(dimensions, 'location', 'name'),
                ''
            ) as location,
            toFloat64OrNull(JSONExtractString(dimensions, 'location_lat')) as latitude,
            toFloat64OrNull(JSONExtractString(dimensions, 'location_long')) as longitude
        from events
        -- Looking for the text is cheap and spares most events the parsing.
        where
            platform = 'INSTAGRAM'
            and source != 'graphapi'
            and shortcode != ''
            and position(dimensions, '"location"') > 0
    ),

    -- Name and coordinates of one event: those of two would not belong together.
    latest_places as (
        select
            shortcode,
            {{
                latest(
                    "tuple(observations.source, observations.location, observations.latitude, observations.longitude)"
                )
            }} as place,
            {{ latest("observations.profile_id", "observations.profile_id not in ('', 'TODO')") }} as owner,
            {{ latest("observations.handle", "observations.handle != ''") }} as owner_handle
        from observations
        where trim(observations.location) != ''
        group by shortcode
    ),

    final as (
        select
            place .1 as source,
            shortcode as short_code,
            nullIf(owner, '') as profile_id,
            nullIf(owner_handle, '') as handle,
            place .2 as location,
            if(place .3 between -90 and 90, place .3, null) as location_lat,
            if(place .4 between -180 and 180, place .4, null) as location_long
        from latest_places
    )

select *
from final
