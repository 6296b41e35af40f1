{#-
    Family of the marts that say who follows whom: one row per (source, target) pair, the source being the one who
    follows. `source` and `target` are {name, key}: prefix of the output columns and column of the event. `observed`
    names what the events of a pair tell, as aggregates over `observations`; `attributes` maps suffixes of output
    columns to columns of `accounts`, taken for both sides.

    A later run reads all events of the pairs that got a new one, and writes stored pairs again whose accounts have
    other attributes by now. So the table is the same whether it was built at once or in any number of runs, and
    reading an event twice changes nothing.
-#}
{% macro relationships(events, when, source, target, accounts, account_key, observed, attributes) %}
    {%- set pair = source.key ~ ", " ~ target.key -%}
    {%- set sides = [target, source] -%}

    with
        events as (select * from {{ events }}),

        accounts as (select * from {{ accounts }}),

        {% if is_incremental() -%}
            {#- The fixture of a unit test is no table: it comes as text, and FINAL is refused on it. -#}
            stored as (select * from {{ this }}{% if this is not string %} final{% endif %}),
        {%- endif %}

        observations as (
            select *
            from events
            where
                {{ when }} and {{ source.key }} != '' and {{ target.key }} != ''
                {%- if is_incremental() %}
                    -- New is what was inserted since the newest stored event happened, less the look-back: an event
                    -- is inserted after it happened, so no pause between runs is too long.
                    and ({{ pair }}) in (
                        select {{ pair }}
                        from events
                        where
                            insert_timestamp > (
                                select
                                    least(toDateTime64(max(event_timestamp), 6), {{ run_time() }})
                                    - interval {{ var("relationship_lookback_days") }} day
                                from stored
                            )
                    )
                {%- endif %}
        ),

        observed as (
            select
                {{ target.key }} as {{ target.name }}_id,
                {{ source.key }} as {{ source.name }}_id,
                {% for name, value in observed.items() -%}
                    {{ value }} as {{ name }}{{ "," if not loop.last }}
                {% endfor %}
            from observations
            group by {{ pair }}
        ),

        pairs as (
            select *, [''] as stored_attributes
            from observed
            {%- if is_incremental() %}
                union all
                select
                    {{ target.name }}_id,
                    {{ source.name }}_id,
                    {{ observed.keys() | join(", ") }},
                    [
                        {%- for side in sides -%}
                            {%- set last_side = loop.last -%}
                            {%- for suffix in attributes -%}
                                ifNull({{ side.name }}_{{ suffix }}, '') {{- ", " if not (last_side and loop.last) }}
                            {%- endfor -%}
                        {%- endfor -%}
                    ]
                from stored
                where
                    ({{ target.name }}_id, {{ source.name }}_id)
                    not in (select {{ target.name }}_id, {{ source.name }}_id from observed)
            {%- endif %}
        ),

        described as (
            select
                pairs.{{ target.name }}_id as {{ target.name }}_id,
                pairs.{{ source.name }}_id as {{ source.name }}_id,
                {% for name in observed -%} pairs.{{ name }} as {{ name }}, {% endfor -%}
                pairs.stored_attributes as stored_attributes,
                [
                    {%- for side in sides -%}
                        {%- set last_side = loop.last -%}
                        {%- for column in attributes.values() -%}
                            ifNull({{ side.name }}s.{{ column }}, '') {{- ", " if not (last_side and loop.last) }}
                        {%- endfor -%}
                    {%- endfor -%}
                ] as attributes
            from pairs
            {%- for side in sides %}
                left join accounts as {{ side.name }}s on {{ side.name }}s.{{ account_key }} = pairs.{{ side.name }}_id
            {%- endfor %}
        ),

        final as (
            select
                {{ target.name }}_id,
                {{ source.name }}_id,
                {{ observed.keys() | join(", ") }},
                {%- for side in sides -%}
                    {%- set side_number = loop.index0 -%}
                    {%- set last_side = loop.last -%}
                    {%- for suffix in attributes %}
                        nullIf(
                            attributes[{{ side_number * attributes | length + loop.index }}], ''
                        ) as {{ side.name }}_{{ suffix }}{{ "," if not (last_side and loop.last) }}
                    {%- endfor -%}
                {%- endfor %}
            from described
            where attributes != stored_attributes
        )

    select *
    from final
{% endmacro %}
