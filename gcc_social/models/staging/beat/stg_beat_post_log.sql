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
    events as (
        {{ events_to_read(source("_e", "post_log_events"), keys=["platform", "shortcode"]) }}
    ),

    read as (
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
            {{ json_integer("metrics", "saved") }} as saved
        from events
    )

select
    ---------- ids
    platform,
    shortcode,
    date,
    {{ latest("profile_id", "profile_id not in ('', 'TODO')") }} as profile_id,
    {{ latest("handle", "handle != ''") }} as handle,
    {{ latest("event_id") }} as event_id,
    {{ latest("source") }} as source,

    ---------- numerics: the day's latest known value of each
    {{ latest("likes") }} as likes,
    {{ latest("comments") }} as comments,
    {{ latest("views") }} as views,
    {{ latest("plays") }} as plays,
    {{ latest("reach") }} as reach,
    {{ latest("impressions") }} as impressions,
    {{ latest("shares") }} as shares,
    {{ latest("saved") }} as saved,
    uniqExact(event_id) as events,

    ---------- JSON text
    {{ latest("metrics", "metrics not in ('', '{}')") }} as metrics,
    {{ latest("dimensions", "dimensions not in ('', '{}')") }} as dimensions,

    ---------- timestamps
    {{ latest("publish_time", "publish_time > toDateTime(0)") }} as publish_time,
    max(event_timestamp) as event_timestamp,
    max(insert_timestamp) as insert_timestamp
from read
group by platform, shortcode, date
