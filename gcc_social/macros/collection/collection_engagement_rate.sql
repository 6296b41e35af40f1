{% macro collection_engagement_rate(engagement, reach) -%}
    {#- More than 100,000 reactions per person reached is no rate but a broken reading. -#}
    if({{ engagement }} / nullIf({{ reach }}, 0) < 100000, {{ engagement }} / nullIf({{ reach }}, 0), null)
{%- endmacro %}
