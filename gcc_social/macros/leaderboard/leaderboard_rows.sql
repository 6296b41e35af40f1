{#-
    One platform's leaderboard in the shape of the serving table `leaderboard`: columns, order and types of
    mart_leaderboard. A platform without plays gets 0 in every plays column, which no account with plays has.
-#}
{% macro leaderboard_rows(board, profile_platform, metrics) %}
    {%- set columns = [
        ("month", "Date"),
        ("profile_platform", "String"),
        ("language", "Nullable(String)"),
        ("category", "Nullable(String)"),
        ("platform", "String"),
        ("platform_id", "String"),
        ("followers", "Nullable(Int64)"),
        ("engagement_rate", "Nullable(Float64)"),
        ("avg_likes", "Nullable(Float64)"),
        ("avg_comments", "Nullable(Float64)"),
        ("avg_views", "Nullable(Float64)"),
        ("avg_plays", "Nullable(Float64)"),
        ("followers_rank", "UInt64"),
        ("followers_change_rank", "UInt64"),
        ("views_rank", "UInt64"),
        ("followers_rank_by_cat", "UInt64"),
        ("views_rank_by_cat", "UInt64"),
        ("followers_rank_by_lang", "UInt64"),
        ("views_rank_by_lang", "UInt64"),
        ("followers_rank_by_cat_lang", "UInt64"),
        ("views_rank_by_cat_lang", "UInt64"),
        ("country", "Nullable(String)"),
        ("profile_type", "String"),
        ("views", "Nullable(Int64)"),
        ("prev_views", "Nullable(Int64)"),
        ("ia_views", "Nullable(Int64)"),
        ("yt_views", "Nullable(Int64)"),
        ("uploads", "Nullable(Int64)"),
        ("prev_followers", "Nullable(Int64)"),
        ("followers_change", "Nullable(Int64)"),
        ("likes", "Nullable(Int64)"),
        ("comments", "Nullable(Int64)"),
        ("plays", "Nullable(Int64)"),
        ("prev_plays", "Nullable(Int64)"),
        ("engagement", "Nullable(Int64)"),
        ("followers_change_rank_by_cat_lang", "UInt64"),
        ("plays_rank", "UInt64"),
        ("plays_rank_by_cat", "UInt64"),
        ("plays_rank_by_lang", "UInt64"),
        ("plays_rank_by_cat_lang", "UInt64"),
        ("followers_change_rank_by_cat", "UInt64"),
        ("followers_change_rank_by_lang", "UInt64"),
    ] -%}
    {%- set has_plays = "plays" in metrics | map(attribute="name") -%}
    select
        {%- for name, type in columns %}
            CAST(
                {%- if name == "profile_platform" %}
                    {{ profile_platform }} {%- elif "plays" in name and not has_plays %} 0
                {%- else %}{{ board }}.{{ name }}
                {%- endif %},
                '{{ type }}'
            ) as {{ name }},
        {%- endfor %}
        {{ rank_map(board, metrics, suffix="_prev") }} as last_month_ranks,
        {{ rank_map(board, metrics) }} as current_month_ranks
    from {{ board }}
{%- endmacro %}
