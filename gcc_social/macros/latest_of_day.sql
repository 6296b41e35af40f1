{% macro events_to_read(events, keys, when=none) %}
    {#-
    On the first run every event; later every event of the (key, day) pairs that got a new event since the last run less the look-back.
    "New" is by insert time, since an event can arrive days late, and the whole day is read again, since the newcomer may not be its latest.
-#}
    select *
    from {{ events }}
    where
        {{ when or "1" }}
        {%- if is_incremental() %}
            and toDate(event_timestamp) >= (
                select min(toDate(event_timestamp))
                from {{ events }}
                where insert_timestamp > {{ lookback_start("insert_timestamp") }}
            )
            and ({{ keys | join(", ") }}, toDate(event_timestamp)) in (
                select {{ keys | join(", ") }}, toDate(event_timestamp)
                from {{ events }}
                where insert_timestamp > {{ lookback_start("insert_timestamp") }}
            )
        {%- endif %}
{% endmacro %}


{% macro in_order(columns) -%}
    {#-
    The observations of a group as an array of tuples, from the first to the last; event_timestamp and event_id come first among the
    columns. Arrays of few elements are several times faster than an argMax per column, whose key would be a tuple.
-#}
    arraySort(groupArray(tuple({{ columns | join(", ") }})))
{%- endmacro %}


{% macro seen_values(columns, column) -%} seen.{{ columns.index(column) + 1 }} {%- endmacro %}


{% macro latest_seen(columns, column, known="value is not null") -%}
    {#- The column's value in the last observation in which it is known; NULL, or empty where the type has no NULL, if in none. -#}
    arrayLast(value -> ifNull({{ known }}, false), {{ seen_values(columns, column) }}) as {{ column }}
{%- endmacro %}


{% macro latest(value, known=none) -%}
    {#- The event id settles equal event times. Insert times would not do: a redelivered copy has another one. -#}
    argMaxIf({{ value }}, (observations.event_timestamp, observations.event_id), {{ known or "true" }})
{%- endmacro %}
