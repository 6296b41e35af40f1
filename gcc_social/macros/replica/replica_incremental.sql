{% macro replica_incremental(replica, columns, watermark, written=none, key="id", growing_key=false) %}
    {#-
    `watermark` orders the versions of a row; the column `written` stands in for it where it is NULL. Columns are qualified, because ClickHouse
    reads a bare name in WHERE as the output column of that name.
-#}
    {%- set version = (
        "coalesce(replica."
        ~ watermark
        ~ ", "
        ~ ("replica." ~ written ~ ", " if written else "")
        ~ "toDateTime64('1970-01-01 00:00:00', 6))"
    ) %}

    with replica as (select * from {{ replica }})

    select
        {%- for column in columns %}
            {% if column == watermark %} {{ version }} as {{ adapter.quote(column) }}
            {%- elif column == key %} assumeNotNull(replica.{{ adapter.quote(column) }}) as {{ adapter.quote(column) }}
            {%- else %} {{ adapter.quote(column) }}
            {%- endif %}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from replica
    where
        replica.{{ adapter.quote(key) }} is not null
        {%- if is_incremental() %}
            and (
                -- Rows without a watermark are few and are read again each time: no comparison could tell that they
                -- are new.
                replica.{{ watermark }} is null or replica.{{ watermark }} > {{ lookback_start(watermark) }}
                {%- if growing_key %}
                    -- A scraper whose clock is behind, or a transaction of many hours, writes a time that was passed.
                    or replica.{{ adapter.quote(key) }} > (select max({{ adapter.quote(key) }}) from {{ this }})
                {%- endif %}
            )
        {%- endif %}

{% endmacro %}
