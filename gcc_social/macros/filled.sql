{% macro filled(column) -%}
    {#- The dumps write a missing text as '' or as the word NULL. -#}
    nullIf(nullIf({{ column }}, ''), 'NULL')
{%- endmacro %}
