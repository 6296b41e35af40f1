{% macro replica_incremental(replica, columns, watermark, written=none, key="id") %}
{#- `watermark` orders the versions of a row; `written` stands in for it where it is NULL (an expression over the replica's columns). -#}
{%- set version = "coalesce(" ~ watermark ~ ", " ~ (written ~ ", " if written else "") ~ "toDateTime64('1970-01-01 00:00:00', 6))" %}

with replica as (select * from {{ replica }})

select
    {%- for column in columns %}
    {% if column == watermark %}{{ version }} as {{ adapter.quote(column) }}
    {%- elif column == key %}assumeNotNull({{ adapter.quote(column) }}) as {{ adapter.quote(column) }}
    {%- else %}{{ adapter.quote(column) }}
    {%- endif %}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from replica
where
    {{ adapter.quote(key) }} is not null
    {%- if is_incremental() %}
    -- Rows without a watermark are few and are read again each time: no comparison could tell that they are new.
    and ({{ watermark }} is null or {{ watermark }} > {{ lookback_start(watermark) }})
    {%- endif %}

{% endmacro %}
