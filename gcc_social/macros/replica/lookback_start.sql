{% macro lookback_start(watermark, relation=this) -%}
    {#-
        A watermark in the future (a wrong clock upstream) must not shut out what follows, so the run's time is the latest start.
        An empty model starts in 1970; DateTime64, because a DateTime less four hours would wrap around to 2106.
    -#}
    (
        select
            least(toDateTime64(ifNull(max({{ watermark }}), toDateTime64(0, 6)), 6), {{ run_time() }})
            - interval {{ var("lookback_hours") }} hour
        from {{ relation }}
    )
{%- endmacro %}
