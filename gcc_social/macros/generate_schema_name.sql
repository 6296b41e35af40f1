{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- Every model lands in the target's one schema: readers outside dbt name tables as dbt.<model>. -#}
    {{ target.schema }}
{%- endmacro %}
