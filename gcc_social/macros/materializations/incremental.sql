{#-
    In place of the adapter's own, which inserts straight into the model's table. Models find what is new by the newest row that
    they have; after an insert that broke off halfway they would take for done what never arrived.

    Here new rows are complete in a table of their own before they are added, partition by partition and without copying
    them. That table stays until all of it is added: should the server die in between, the next build adds it once
    more, and the model's ReplacingMergeTree drops what came twice.
-#}
{% materialization incremental, adapter = "clickhouse" %}
    {%- set live = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set additions = this.incorporate(path={"identifier": this.identifier ~ "__dbt_additions"}, type="table") -%}
    {%- set from_nothing = live is none or should_full_refresh() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if not from_nothing and load_cached_relation(additions) is not none %}
        {% do add_rows(live, additions) %}
    {% endif %}
    {% do drop_relation_if_exists(load_cached_relation(additions)) %}
    {%- set built = built_aside(target_relation, sql) -%}
    {% if from_nothing %} {% do put_in_place(built, live, target_relation) %}
    {% else %}
        {% do require_same_columns(live, built) %}
        {% do adapter.rename_relation(built, additions) %}
        {% do add_rows(live, additions) %}
        {% do adapter.drop_relation(additions) %}
    {% endif %}
    {% do apply_grants(target_relation, config.get("grants"), should_revoke=should_revoke(live, from_nothing)) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% macro add_rows(live, additions) %}
    {%- set partitions = (
        run_query(
            "select distinct partition_id from system.parts where active and database = '"
            ~ additions.schema
            ~ "' and table = '"
            ~ additions.identifier
            ~ "' order by partition_id"
        )
        .columns[0]
        .values()
    ) -%}
    {% if partitions %}
        {% call statement("add_rows") %}
            alter table {{ live }}
            {% for partition in partitions -%}
                attach partition id '{{ partition }}' from {{ additions }} {{- "," if not loop.last }}
            {% endfor %}
        {% endcall %}
    {% endif %}
{% endmacro %}

{% macro require_same_columns(live, built) %}
    {#- Columns are found by their names, so another order does no harm. -#}
    {%- set found = [] -%}
    {%- for relation in (live, built) -%}
        {%- set columns = [] -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do columns.append(column.name ~ " " ~ column.data_type) -%}
        {%- endfor -%}
        {%- do found.append(columns) -%}
    {%- endfor -%}
    {%- set before, now = found -%}
    {%- set gone, come = before | reject("in", now) | list, now | reject("in", before) | list -%}
    {% if gone or come %}
        {% do exceptions.raise_compiler_error(
            live
            ~ " has other columns than the model now gives. Only in the table: "
            ~ (gone | join(", ") or "none")
            ~ "; only in the model: "
            ~ (come | join(", ") or "none")
            ~ ". Build the model from nothing: dbt run --full-refresh --select "
            ~ this.identifier
        ) %}
    {% endif %}
{% endmacro %}
