{% macro lookback_start(watermark, relation=this) -%}
    {#- The newest stored watermark less the look-back. A watermark in the future (a wrong clock upstream) must not shut out what follows, so the run's time is the latest start. -#}
    (
        select least(max({{ watermark }}), {{ run_time() }}) - interval {{ var("lookback_hours") }} hour
        from {{ relation }}
    )
{%- endmacro %}
