{#- Overrides the adapter's macro: the one place in which the engine of a model or seed is written out. -#}
{% macro engine_clause() %} engine = {{ replicated(config.get("engine", default="MergeTree()")) }} {%- endmacro %}


{% macro replicated(engine) -%}
    {#- Without arguments the server's own settings give path and replica name. A Shared or Replicated engine that a
        model asks for itself is left alone. -#}
    {%- set on_a_cluster = adapter.get_clickhouse_cluster_name() -%}
    {%- if on_a_cluster and modules.re.match("(Replacing|Summing|Aggregating|Collapsing)?MergeTree", engine) -%}
        Replicated{{ engine }}
    {%- else -%} {{ engine }}
    {%- endif -%}
{%- endmacro %}
