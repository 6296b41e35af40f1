{% macro json_integer(column, key) -%}
    {#- JSONExtractString also returns the text of a JSON number, so one expression reads 5, "5" and 5.0; other text gives NULL. A fraction is cut off. -#}
    coalesce(
        toInt64OrNull(JSONExtractString({{ column }}, '{{ key }}')),
        accurateCastOrNull(trunc(toFloat64OrNull(JSONExtractString({{ column }}, '{{ key }}'))), 'Int64')
    )
{%- endmacro %}
