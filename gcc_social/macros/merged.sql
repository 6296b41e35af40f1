{% macro merged(relation) -%}
    {#- FINAL is refused on the fixture that stands in for the relation in a unit test. -#}
    {{ relation }}{% if not relation.is_cte %} final{% endif %}
{%- endmacro %}
