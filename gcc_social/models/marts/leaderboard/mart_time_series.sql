{{
    config(
        tags=["core", "daily", "leaderboard"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(changed_at)",
        order_by="(platform, platform_id, monthly_stats, date)",
        partition_by="toYear(date)",
        meta={"stale_inputs": ["int_instagram_account", "int_youtube_account"]},
        query_settings={
            "enable_materialized_cte": 1,
            "max_bytes_before_external_group_by": 300000000,
            "max_bytes_before_external_sort": 150000000,
            "join_algorithm": "full_sorting_merge",
        },
    )
}}

{% set posts_of_profiles = (
    instagram_all_posts(partial=true, accounts="profiles") if is_incremental() else instagram_all_posts()
) ~ " select * from final" %}
{% set series = [
    {"platform": "YOUTUBE", "period": "week", "gap_days": 7},
    {"platform": "INSTAGRAM", "period": "week", "gap_days": 7},
    {"platform": "INSTAGRAM", "period": "month", "gap_days": 31},
    {"platform": "YOUTUBE", "period": "month", "gap_days": 31},
] %}

with
    indian_profiles as (
        select ig_id as platform_id from {{ once_built(ref("int_instagram_account")) }} where country = 'IN'
    ),

    indian_channels as (
        select channel_id as platform_id from {{ once_built(ref("int_youtube_account")) }} where country = 'IN'
    ),

    profile_news as ({{ accounts_with_news("INSTAGRAM") }}),

    channel_news as ({{ accounts_with_news("YOUTUBE") }}),

    -- The accounts to compute: those with news, all on a full refresh.
    {% for accounts, indian, news in [
        ("profiles", "indian_profiles", "profile_news"),
        ("channels", "indian_channels", "channel_news"),
    ] -%}
        {{ accounts }} as materialized(
            select
                {{ indian }}.platform_id as platform_id,
                {{ news }}.changed_from as changed_from,
                {{ news }}.changed_at as changed_at,
                {{ news }}.posts_changed_at as posts_changed_at
            from {{ indian }}
            left join {{ news }} on {{ news }}.platform_id = {{ indian }}.platform_id
            {% if is_incremental() -%} where {{ news }}.platform_id != '' {%- endif %}
        ),

    {% endfor -%}
    final as (
        {% for one in series -%}
            {%- set monthly = one.period == "month" -%}
            {%- if one.platform == "INSTAGRAM" -%}
                {%- set account_rows -%}
                    with
                        {{
                            leaderboard_base_followers(
                                period=one.period,
                                gap_days=one.gap_days,
                                followers="latest",
                                accounts="profiles",
                                posts=posts_of_profiles,
                            )
                        }}
                    {{ instagram_account_rows(monthly=monthly) }}
                {%- endset -%}
            {%- else -%}
                {%- set account_rows -%}
                    with
                        {{ youtube_channel_periods(one.period, accounts="channels") }},
                        {{ yt_snapshots_with_previous("channel_periods", gap_days=one.gap_days) }}
                    {{ youtube_account_rows(monthly=monthly) }}
                {%- endset -%}
            {%- endif -%}
            {{
                time_series_rows(
                    one.platform, "(" ~ account_rows ~ ")", "profiles" if one.platform == "INSTAGRAM" else "channels"
                )
            }}
            {% if is_incremental() -%}
                -- Nothing changed before the period that the news begin in.
                where series.date >= toStartOf{{ "Month" if monthly else "Week" }} (accounts.changed_from)
                {%- endif %} {{ "union all" if not loop.last }}
        {% endfor %}
    )

select *
from final
