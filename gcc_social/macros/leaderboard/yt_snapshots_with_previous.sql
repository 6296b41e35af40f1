{#-
    Family yt_snapshots_with_previous: lifetime counters of a channel and what it gained since its previous period.

    Emits the CTE `channel_history`, the rows of `snapshots` (period, channel_id, lifetime_*) with prev_period (of the
    channel's preceding row, however old) and followers_change, views_change, uploads_change. A gain is known when the
    preceding row is at most `gap_days` older (31: the calendar month before, 7: the week before); otherwise, and for
    a channel's first row, it is NULL. Losses are negative gains.
-#}
{% macro yt_snapshots_with_previous(snapshots, gap_days) %}
    channel_history as (
        select
            *,
            {{ previous_period("period", "channel_past") }} as prev_period,
            {{ previous_available("period", gap_days, "channel_past") }} as previous_available,
            {% for counter in ["followers", "views", "uploads"] -%}
                lifetime_{{ counter }}
                - {{ previous_value("lifetime_" ~ counter, "previous_available", "channel_past") }}
                as {{ counter }}_change{{ "," if not loop.last }}
            {% endfor %}
        from {{ snapshots }}
        window channel_past as ({{ account_history_window(["channel_id"], "period") }})
    )
{%- endmacro %}
