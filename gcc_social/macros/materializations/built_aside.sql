{% macro built_aside(target_relation, sql) %}
    {#-
        Runs the model into a table beside its own and returns that table. An INSERT is committed block by block, so one that
        fails or is killed halfway leaves rows: here they are in nobody's way, and the next build drops them.
    -#}
    {%- set built = make_intermediate_relation(target_relation) -%}
    {% do drop_relation_if_exists(load_cached_relation(built)) %}
    {% call statement("main") %} {{ get_create_table_as_sql(False, built, sql) }} {% endcall %}
    {{ return(built) }}
{% endmacro %}

{% macro put_in_place(built, live, target_relation) %}
    {#- Gives a finished table the model's name, in one step where there is an older one. -#}
    {% if live is not none and live.can_exchange %}
        {% do exchange_tables_atomic(built, target_relation) %} {% do adapter.drop_relation(built) %}
    {% else %} {% do adapter.rename_relation(built, target_relation) %}
    {% endif %}
{% endmacro %}
