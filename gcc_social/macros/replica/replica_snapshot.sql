{% macro replica_snapshot(replica, columns, key="id") %}

    with replica as (select * from {{ replica }})

    select
        {%- for column in columns %}
            {% if column == key %}
                assumeNotNull(replica.{{ adapter.quote(column) }}) as
            {% endif %} {{ adapter.quote(column) }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from replica
    -- A replica of a PostgreSQL view declares its key Nullable; the table behind it has none without.
    where replica.{{ adapter.quote(key) }} is not null

{% endmacro %}
