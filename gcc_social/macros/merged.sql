{% macro merged(relation) -%}
    {#- FINAL is refused on what stands in for the table: a fixture in a unit test, a subquery without rows in a run with --empty. -#}
    {{ relation }}{% if not relation.is_cte and relation.limit is none %} final{% endif %}
{%- endmacro %}
