{#-
    Family time_series: series of accounts of both platforms under one set of columns, for chosen accounts.

    One select over the rows of `series` (rows of mart_<platform>_account_<period>) whose account is in `accounts`.
    with_gaps gives the columns of mart_time_series_with_gaps, which takes numbers as the series have them.
-#}
{% macro time_series_rows(platform, series, accounts, with_gaps=false) %}
    {%- set columns = [
        ("date", "Date"),
        ("p_date", "Nullable(Date)"),
        ("platform", "String"),
        ("platform_id", "String"),
        ("views_total", "Nullable(Int64)"),
        ("views", "Nullable(Int64)"),
        ("likes", "Nullable(Int64)"),
        ("comments", "Nullable(Int64)"),
        ("engagement", "Nullable(Int64)"),
        ("plays", "Nullable(Int64)"),
        ("plays_total", "Nullable(Int64)"),
        ("followers", "Nullable(Int64)"),
        ("following", "Nullable(Int64)"),
        ("avg_views", "Nullable(Float64)"),
        ("avg_likes", "Nullable(Float64)"),
        ("avg_comments", "Nullable(Float64)"),
        ("engagement_rate", "Nullable(Float64)"),
        ("avg_plays", "Nullable(Float64)"),
        ("uploads", "Nullable(Int64)"),
        ("followers_change", "Nullable(Int64)"),
        ("monthly_stats", "Bool"),
    ] -%}
    {%- set only_without_gaps = ["p_date", "views_total", "plays_total", "monthly_stats"] -%}
    {%- set derived = {
        "YOUTUBE": {
            "views_total": "if(series.views < 0, 0, series.views)",
            "views": "if(series.views_change < 0, 0, series.views_change)",
            "plays_total": "0",
            "uploads": "if(series.uploads_change < 0, 0, series.uploads_change)",
        },
        "INSTAGRAM": {"views_total": "0", "views": "0"},
    }[platform] -%}
    select
        {% for name, type in columns if not (with_gaps and name in only_without_gaps) -%}
            {%- set value = "series." ~ name if with_gaps else derived.get(name, "series." ~ name) -%}
            CAST({{ value }}, '{{ type }}') as {{ name }}{{ "," if not loop.last }}
        {% endfor -%}
        {%- if not with_gaps %}
            , accounts.changed_at as changed_at, accounts.posts_changed_at as posts_changed_at
        {%- endif %}
    from {{ series }} as series
    inner join {{ accounts }} as accounts on accounts.platform_id = series.platform_id
{%- endmacro %}


{#-
    Accounts of a platform with news since the newest row of this model less the look-back, or all of them on a full
    refresh: platform_id, changed_from (the first day that the news are about), changed_at and posts_changed_at (how
    new all that is known of the account is, by the clocks of the log and of the posts' replica).

    A changed post is also news of the owner and the day that its superseded versions name, where its numbers have to
    go. The posts are not merged for that: a version is known as long as no background merge has removed it.
-#}
{% macro accounts_with_news(platform) %}
    select
        assumeNotNull(facts.profile_id) as platform_id,
        minIf(facts.day, facts.is_news) as changed_from,
        max(facts.changed_at) as changed_at,
        max(facts.posts_changed_at) as posts_changed_at
    from
        (
            select
                profile_id,
                date as day,
                toDateTime64(insert_timestamp, 6) as changed_at,
                CAST(null, 'Nullable(DateTime64(6))') as posts_changed_at,
                {{ is_news("insert_timestamp", "changed_at") }} as is_news
            from {{ ref("stg_beat_profile_log") }}
            where platform = '{{ platform }}'
            {% if platform == "INSTAGRAM" -%}
                union all
                select
                    profile_id,
                    toDate(ifNull(publish_time, toDateTime64('2000-01-01 00:00:00', 6))),
                    updated_at,
                    updated_at,
                    {{ is_news("updated_at", "posts_changed_at") }}
                from {{ ref("stg_beat_instagram_post") }}
                {% if is_incremental() -%}
                    union all
                    select
                        profile_id,
                        toDate(ifNull(publish_time, toDateTime64('2000-01-01 00:00:00', 6))),
                        max(updated_at) over (partition by shortcode),
                        max(updated_at) over (partition by shortcode),
                        true
                    from {{ ref("stg_beat_instagram_post") }}
                    where
                        shortcode != ''
                        and shortcode in (
                            select shortcode
                            from {{ ref("stg_beat_instagram_post") }}
                            where {{ is_news("updated_at", "posts_changed_at") }}
                        )
                {%- endif %}
            {%- endif %}
        ) as facts
    where facts.profile_id != ''
    group by platform_id
    having countIf(facts.is_news) > 0
{%- endmacro %}


{% macro is_news(written, watermark) -%}
    {%- if is_incremental() -%} {{ written }} > {{ lookback_start(watermark) }} {%- else -%} true {%- endif -%}
{%- endmacro %}
