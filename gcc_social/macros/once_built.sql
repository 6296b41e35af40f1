{% macro once_built(relation) -%}
    {#- A table of a slower tier that a faster one reads. Before that tier's first run it stands for a table without rows. -#}
    {%- if execute and not relation.is_cte and load_relation(relation) is none -%}
        {%- set model = (
            graph.nodes.values()
            | selectattr("resource_type", "equalto", "model")
            | selectattr("alias", "equalto", relation.identifier)
            | first
        ) -%}
        (
            select
                {% for column in model.columns.values() -%}
                    {%- if not column.data_type -%}
                        {{
                            exceptions.raise_compiler_error(
                                "once_built: column "
                                ~ column.name
                                ~ " of "
                                ~ model.name
                                ~ " has no data_type in its YAML"
                            )
                        }}
                    {%- endif -%}
                    {%- set type = column.data_type | replace("'", "''") %}
                    defaultValueOfTypeName('{{ type }}') as {{ adapter.quote(column.name) }}{{ "," if not loop.last }}
                {% endfor %}
            where 0
        )
    {%- else -%} {{ relation }}
    {%- endif -%}
{%- endmacro %}
