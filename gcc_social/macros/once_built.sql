{% macro once_built(relation, columns) -%}
    {#- A table of a slower tier that a faster one reads. Before that tier's first run it stands for a table without rows. -#}
    {%- if execute and not relation.is_cte and load_relation(relation) is none -%}
        (
            select
                {% for column in columns -%}
                    CAST(null, 'Nullable(String)') as {{ column }}{{ "," if not loop.last }}
                {% endfor %}
            where 0
        )
    {%- else -%} {{ relation }}
    {%- endif -%}
{%- endmacro %}
