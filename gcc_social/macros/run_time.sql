{% macro run_time() -%}
    {#- run_started_at is one instant for all models of a run; now() would differ between models and between retries. -#}
    {%- set pinned = var("run_time", "") -%}
    {%- if pinned -%}
        toDateTime(
            '{{ modules.datetime.datetime.fromisoformat(pinned | string).strftime("%Y-%m-%d %H:%M:%S") }}', 'UTC'
        )
    {%- else -%} toDateTime('{{ run_started_at.astimezone(modules.pytz.utc).strftime("%Y-%m-%d %H:%M:%S") }}', 'UTC')
    {%- endif -%}
{%- endmacro %}
