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

{%- set counters = {
    "followers": ["followers", "subscriber_count"],
    "following": ["following"],
    "uploads": ["media_count", "video_count"],
    "views": ["view_count"],
} -%}
{%- set observed = [
    "event_timestamp",
    "event_id",
    "insert_timestamp",
    "handle",
    "source",
] + counters.keys() | list + [
    "metrics",
    "dimensions",
] -%}

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

    -- Each platform has its own name for followers and uploads.
    observations as (
        select
            *,
            toDate(event_timestamp) as date,
            {% for name, keys in counters.items() -%}
                coalesce(
                    {% for key in keys -%}{{ json_integer("metrics", key) }} {{- "," if not loop.last }} {% endfor %}
                ) as {{ name }} {{- "," if not loop.last }}
            {% endfor %}
        from events
    ),

    days as (
        select platform, profile_id, date, {{ in_order(observed) }} as seen
        from observations
        group by platform, profile_id, date
    )

select
    -- ids
    platform,
    profile_id,
    date,
    {{ latest_seen(observed, "handle", "value != ''") }},
    {{ latest_seen(observed, "event_id", "true") }},
    {{ latest_seen(observed, "source", "true") }},

    -- numerics: the day's latest known value of each
    {% for name in counters -%} {{ latest_seen(observed, name) }}, {% endfor %}
    length(arrayDistinct({{ seen_values(observed, "event_id") }})) as events,

    -- JSON text
    {{ latest_seen(observed, "metrics", "value not in ('', '{}')") }},
    {{ latest_seen(observed, "dimensions", "value not in ('', '{}')") }},

    -- timestamps
    {{ latest_seen(observed, "event_timestamp", "true") }},
    arrayMax({{ seen_values(observed, "insert_timestamp") }}) as insert_timestamp
from days
