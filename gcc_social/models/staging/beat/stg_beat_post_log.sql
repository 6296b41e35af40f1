{{
    config(
        tags=["core"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(insert_timestamp)",
        order_by="(platform, shortcode, date)",
        partition_by="toYYYYMM(date)",
    )
}}

with
    events as ({{ events_to_read(source("_e", "post_log_events"), keys=["platform", "shortcode"]) }}),

    observations as (
        select
            *,
            toDate(event_timestamp) as date,
            {{ json_integer("metrics", "likes") }} as likes,
            {{ json_integer("metrics", "comments") }} as comments,
            {{ json_integer("metrics", "view_count") }} as views,
            {{ json_integer("metrics", "play_count") }} as plays,
            {{ json_integer("metrics", "reach") }} as reach,
            {{ json_integer("metrics", "impressions") }} as impressions,
            {{ json_integer("metrics", "shares") }} as shares,
            {{ json_integer("metrics", "saved") }} as saved,
            {{ json_integer("metrics", "tap_forward") }} as tap_forward,
            {{ json_integer("metrics", "tap_back") }} as tap_back,
            {{ json_integer("metrics", "tap_exit") }} as tap_exit,
            {{ json_integer("metrics", "swipe_up") }} as swipe_up
        from events
    )

select
    -- ids
    platform,
    shortcode,
    date,
    {{ latest("observations.profile_id", "observations.profile_id not in ('', 'TODO')") }} as profile_id,
    {{ latest("observations.handle", "observations.handle != ''") }} as handle,
    {{ latest("observations.event_id") }} as event_id,
    {{ latest("observations.source") }} as source,

    -- numerics: the day's latest known value of each
    {{ latest("observations.likes") }} as likes,
    {{ latest("observations.comments") }} as comments,
    {{ latest("observations.views") }} as views,
    {{ latest("observations.plays") }} as plays,
    {{ latest("observations.reach") }} as reach,
    {{ latest("observations.impressions") }} as impressions,
    {{ latest("observations.shares") }} as shares,
    {{ latest("observations.saved") }} as saved,
    {{ latest("observations.tap_forward") }} as tap_forward,
    {{ latest("observations.tap_back") }} as tap_back,
    {{ latest("observations.tap_exit") }} as tap_exit,
    {{ latest("observations.swipe_up") }} as swipe_up,
    uniqExact(observations.event_id) as events,

    -- JSON text
    {{ latest("observations.metrics", "observations.metrics not in ('', '{}')") }} as metrics,
    {{ latest("observations.dimensions", "observations.dimensions not in ('', '{}')") }} as dimensions,

    -- timestamps
    {{ latest("observations.publish_time", "observations.publish_time > toDateTime(0)") }} as publish_time,
    max(observations.event_timestamp) as event_timestamp,
    max(observations.insert_timestamp) as insert_timestamp
from observations
group by platform, shortcode, date
