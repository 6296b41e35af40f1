{#-
    Family ranked_leaderboard: ranks of accounts within a month, overall and within seven finer boards, and the ranks
    of the month before.

    A board is a set of columns that its accounts share; a rank is named <metric>_rank<suffix of the board>.
    A metric is {name, order_by}: accounts stand by falling `order_by`, unknown (NULL) values last. `order_by` ends with
    the account's key, so no two accounts of a board share a rank and a rerun gives the same ranks. NULL is a board of
    its own among categories and languages.

    Add a board: one entry in leaderboard_boards(). Add a metric: one entry in the model's list.
-#}
{% macro leaderboard_boards() %}
    {{
        return(
            [
                {"suffix": "", "columns": []},
                {"suffix": "_by_cat", "columns": ["category"]},
                {"suffix": "_by_lang", "columns": ["language"]},
                {"suffix": "_by_cat_lang", "columns": ["category", "language"]},
                {"suffix": "_by_profile", "columns": ["profile_type"]},
                {"suffix": "_by_cat_profile", "columns": ["category", "profile_type"]},
                {"suffix": "_by_lang_profile", "columns": ["language", "profile_type"]},
                {"suffix": "_by_cat_lang_profile", "columns": ["category", "language", "profile_type"]},
            ]
        )
    }}
{% endmacro %}

{#- Names of all ranks, or of those of the finer boards only. Order: board by board, in the order of the metrics. -#}
{% macro rank_names(metrics, finer_only=false) %}
    {%- set names = [] -%}
    {%- for board in leaderboard_boards() if board.columns or not finer_only -%}
        {%- for metric in metrics -%} {%- do names.append(metric.name ~ "_rank" ~ board.suffix) -%} {%- endfor -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}

{#-
    Emits the CTEs that end in `ranked`: one row per (month, key) of `entries` with every rank, p_month,
    last_month_available and every <rank>_prev.

    The previous ranks come from the full ranking of the calendar month before, not from what was kept of it.
    A first pass turns each metric and its tie-break into a position in the month. On a finer board an account then
    stands where so many of the board's accounts have come up to its position: a running count in the month's order, for
    which one array per month and metric does what otherwise takes a sort of all rows per board and metric. Names and
    counters are joined back at the end.
-#}
{% macro ranked_leaderboard(entries, metrics, key=["platform_id"]) %}
    {%- set board_columns = ["category", "language", "profile_type"] -%}
    {%- set names = rank_names(metrics) -%}

    positions as (
        select
            month,
            {{ (key + board_columns) | join(", ") }},
            {% for metric in metrics -%}
                row_number() over (
                    partition by month
                    order by
                        {% for column in metric.order_by %}
                            {{ column }} desc nulls last{{ ", " if not loop.last }}
                        {% endfor %}
                ) as {{ metric.name }}_position{{ "," if not loop.last }}
            {% endfor %}
        from {{ entries }}
    ),

    -- '' stands for an unknown category or language, which is a board of its own.
    months as (
        select
            month,
            {% for column in key -%} groupArray({{ column }}) as every_{{ column }}, {% endfor -%}
            {% for column in board_columns -%}
                groupArray(ifNull(concat('=', {{ column }}), '')) as every_{{ column }},
            {% endfor -%}
            {% for metric in metrics -%}
                groupArray({{ metric.name }}_position) as every_{{ metric.name }}_position{{ "," if not loop.last }}
            {% endfor %}
        from positions
        group by month
    ),

    months_in_order as (
        select
            *,
            {% for metric in metrics -%}
                arraySort(
                    (account, position) -> position,
                    arrayZip(
                        {% for column in board_columns -%}every_{{ column }}, {% endfor -%}
                        arrayEnumerate(every_{{ metric.name }}_position)
                    ),
                    every_{{ metric.name }}_position
                ) as by_{{ metric.name }}{{ "," if not loop.last }}
            {% endfor %}
        from months
    ),

    months_with_places as (
        select
            *,
            {% for metric in metrics -%}
                arraySort(
                    (places, number) -> number,
                    arrayZip(
                        {% for board in leaderboard_boards() if board.columns -%}
                            arrayEnumerateUniq(
                                {% for column in board.columns -%}
                                    by_{{ metric.name }}.{{ board_columns.index(column) + 1 }}{{ ", " if not loop.last }}
                                {%- endfor %}
                            ){{ "," if not loop.last }}
                        {% endfor %}
                    ),
                    by_{{ metric.name }}.{{ board_columns | length + 1 }}
                ) as every_{{ metric.name }}_place{{ "," if not loop.last }}
            {% endfor %}
        from months_in_order
    ),

    ranks as (
        select
            {% for metric in metrics -%}
                {{ metric.name }}_position as {{ metric.name }}_rank,
                {% for board in leaderboard_boards() if board.columns -%}
                    {{ metric.name }}_place.{{ loop.index }} as {{ metric.name }}_rank{{ board.suffix }},
                {% endfor -%}
            {% endfor -%}
            month,
            {{ key | join(", ") }}
        from months_with_places
        array join
            {% for column in key -%} every_{{ column }} as {{ column }}, {% endfor -%}
            {% for metric in metrics -%}
                every_{{ metric.name }}_position as {{ metric.name }}_position,
                every_{{ metric.name }}_place as {{ metric.name }}_place{{ "," if not loop.last }}
            {% endfor %}
    ),

    ranked as (
        select
            *,
            lagInFrame(toNullable(month)) over rank_history as p_month,
            {{ previous_available("month", 31, "rank_history") }} as last_month_available,
            {% for name in names -%}
                {{ previous_value(name, "last_month_available", "rank_history") }}
                as {{ name }}_prev{{ "," if not loop.last }}
            {% endfor %}
        from ranks
        window rank_history as ({{ account_history_window(key, "month") }})
    )
{%- endmacro %}

{#- Every rank, then p_month, last_month_available and every previous rank, as select expressions. -#}
{% macro ranked_columns(metrics) -%}
    {%- for name in rank_names(metrics) %} toUInt64(ranked.{{ name }}) as {{ name }}, {%- endfor %}
    ranked.p_month as p_month,
    ranked.last_month_available as last_month_available,
    {%- for name in rank_names(metrics) %}
        toUInt64(ranked.{{ name }}_prev) as {{ name }}_prev{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The keep rule: an account stays in a month when it is among the first accounts of any finer board. -#}
{% macro on_a_board(metrics) -%}
    least(
        {%- for name in rank_names(metrics, finer_only=true) %}ranked.{{ name }}{{ "," if not loop.last }} {%- endfor %}
    )
    < {{ var("leaderboard_depth") }}
{%- endmacro %}

{#- The 32 keys of both rank maps of mart_leaderboard. Readers look ranks up by name; the order is part of the contract. -#}
{% macro rank_map_keys() %}
    {%- set keys = [] -%}
    {%- for suffix in ["", "_by_cat", "_by_lang", "_by_cat_lang"] -%}
        {%- for metric in ["followers", "views", "followers_change", "plays"] -%}
            {%- do keys.append(metric ~ "_rank" ~ suffix) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for suffix in ["_by_cat_profile", "_by_lang_profile", "_by_profile", "_by_cat_lang_profile"] -%}
        {%- for metric in ["plays", "views", "followers_change", "followers"] -%}
            {%- do keys.append(metric ~ "_rank" ~ suffix) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(keys) }}
{% endmacro %}

{#- A Map of the 32 keys. 0 stands for "no such rank": ranks begin at 1, and `metrics` names those that the platform has. -#}
{% macro rank_map(relation, metrics, suffix="") -%}
    {%- set known = rank_names(metrics) -%}
    CAST(
        map(
            {%- for name in rank_map_keys() %}
                '{{ name }}',
                {% if name in known %} toUInt64(ifNull({{ relation }}.{{ name }}{{ suffix }}, 0))
                {% else %} toUInt64(0)
                {% endif %} {{ "," if not loop.last }}
            {%- endfor %}
        ),
        'Map(String, UInt64)'
    )
{%- endmacro %}
