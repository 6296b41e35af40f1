{#-
    In place of the adapter's own, which fills a model's table under its final name when there is none yet: readers would see, and
    exports publish, what a failed first build left.
-#}
{% materialization table, adapter = "clickhouse" %}
    {%- set live = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type="table") -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% do put_in_place(built_aside(target_relation, sql), live, target_relation) %}
    {% do apply_grants(
        target_relation, config.get("grants"), should_revoke=should_revoke(live, full_refresh_mode=True)
    ) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
