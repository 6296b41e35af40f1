{% macro audience_grade(score) -%}
    {#- multiIf takes NULL for false and would call an unknown score Poor. -#}
    multiIf(
        {{ score }} is null,
        null,
        {{ score }} >= 90,
        'Excellent',
        {{ score }} >= 75,
        'Very Good',
        {{ score }} >= 60,
        'Good',
        {{ score }} >= 40,
        'Average',
        'Poor'
    )
{%- endmacro %}
