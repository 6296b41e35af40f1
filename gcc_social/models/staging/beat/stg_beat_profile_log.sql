{{
    config(
        tags=["core"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(insert_timestamp)",
        order_by="(platform, profile_id, date)",
        partition_by="toYYYYMM(date)",
    )
}}

with
    events as (
        {{
            events_to_read(
                source("_e", "profile_log_events"),
                keys=["platform", "profile_id"],
                when="profile_id != '' and not startsWith(source, 'openapi_')",
            )
        }}
    ),

    observations as (
        select
            *,
            toDate(event_timestamp) as date,
            {{ json_integer("metrics", "followers") }} as instagram_followers,
            {{ json_integer("metrics", "subscriber_count") }} as subscribers,
            {{ json_integer("metrics", "following") }} as following,
            {{ json_integer("metrics", "media_count") }} as media_count,
            {{ json_integer("metrics", "video_count") }} as video_count,
            {{ json_integer("metrics", "view_count") }} as view_count
        from events
    )

select
    -- ids
    platform,
    profile_id,
    date,
    {{ latest("observations.handle", "observations.handle != ''") }} as handle,
    {{ latest("observations.event_id") }} as event_id,
    {{ latest("observations.source") }} as source,

    -- numerics: the day's latest known value of each
    {{ latest("coalesce(observations.instagram_followers, observations.subscribers)") }} as followers,
    {{ latest("observations.following") }} as following,
    {{ latest("coalesce(observations.media_count, observations.video_count)") }} as uploads,
    {{ latest("observations.view_count") }} as views,
    uniqExact(observations.event_id) as events,

    -- JSON text
    {{ latest("observations.metrics", "observations.metrics not in ('', '{}')") }} as metrics,
    {{ latest("observations.dimensions", "observations.dimensions not in ('', '{}')") }} as dimensions,

    -- timestamps
    max(observations.event_timestamp) as event_timestamp,
    max(observations.insert_timestamp) as insert_timestamp
from observations
group by platform, profile_id, date
