{% macro known_sum(column) -%}
    {#- A total of which one part is unknown is unknown; sum() alone would pass off the known part as the total. -#}
    if(countIf({{ column }} is null) > 0, null, sum({{ column }}))
{%- endmacro %}
