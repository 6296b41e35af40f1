{% macro last_known(metric) -%}
    {#-
        Counters of a post do not fall to zero: a zero after a positive reading is a missed one. A fall to another value is taken as it is.
        Needs a window so_far: partition by post, order by stats_date, rows up to the current one. Both aggregates pass over NULL.
    -#}
    {%- set reading = "readings." ~ metric -%}
    coalesce(
        argMaxIf({{ reading }}, readings.stats_date, {{ reading }} > 0) over so_far,
        argMax({{ reading }}, readings.stats_date) over so_far
    )
{%- endmacro %}
