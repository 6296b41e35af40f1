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

{%- set counters = {
    "likes": "likes",
    "comments": "comments",
    "views": "view_count",
    "plays": "play_count",
    "reach": "reach",
    "impressions": "impressions",
    "shares": "shares",
    "saved": "saved",
    "tap_forward": "tap_forward",
    "tap_back": "tap_back",
    "tap_exit": "tap_exit",
    "swipe_up": "swipe_up",
} -%}
{%- set observed = [
    "event_timestamp",
    "event_id",
    "insert_timestamp",
    "profile_id",
    "handle",
    "source",
] + counters.keys() | list + [
    "metrics",
    "dimensions",
    "publish_time",
] -%}

with
    events as ({{ events_to_read(source("_e", "post_log_events"), keys=["platform", "shortcode"]) }}),

    observations as (
        select
            *,
            toDate(event_timestamp) as date,
            {% for name, key in counters.items() -%}
                {{ json_integer("metrics", key) }} as {{ name }} {{- "," if not loop.last }}
            {% endfor %}
        from events
    ),

    days as (
        select platform, shortcode, date, {{ in_order(observed) }} as seen
        from observations
        group by platform, shortcode, date
    )

select
    -- ids
    platform,
    shortcode,
    date,
    {{ latest_seen(observed, "profile_id", "value not in ('', 'TODO')") }},
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
    {{ latest_seen(observed, "publish_time", "value > toDateTime(0)") }},
    {{ latest_seen(observed, "event_timestamp", "true") }},
    arrayMax({{ seen_values(observed, "insert_timestamp") }}) as insert_timestamp
from days
