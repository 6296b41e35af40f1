{{
    config(
        tags=["hourly"],
        order_by="group_key",
        contract={"enforced": true},
        query_settings={
            "max_bytes_before_external_group_by": 600000000,
            "max_bytes_before_external_sort": 600000000,
        },
    )
}}

{%- set bins = 7 %}

with
    instagram_accounts as (select * from {{ ref("int_instagram_account_ungraded") }}),

    youtube_accounts as (select * from {{ ref("int_youtube_account_ungraded") }}),

    -- Each account stands in its primary and in its secondary group.
    members as (
        {% for accounts in ["instagram_accounts", "youtube_accounts"] -%}
            select
                arrayJoin([{{ accounts }}.primary_group, {{ accounts }}.secondary_group]) as group_key,
                {% for metric in peer_metrics() -%}
                    CAST({{ accounts }}.{{ metric }}, 'Nullable(Float64)') as {{ metric }}{{ "," if not loop.last }}
                {% endfor %}
            from {{ accounts }}
            {% if not loop.last -%}
                union all
            {% endif %}
        {%- endfor %}
    ),

    peer_groups as (
        select
            assumeNotNull(members.group_key) as group_key,
            count() as profiles,
            {% for metric in peer_metrics() -%} {{ peer_group_statistics("members." ~ metric, metric) }}, {% endfor -%}
            groupArray(
                if(members.engagement_rate > 0 and members.engagement_rate <= 1000, members.engagement_rate, null)
            ) as rates,
            quantileExactInclusive(0.95)
            (
                if(members.engagement_rate > 0 and members.engagement_rate <= 1000, members.engagement_rate, null)
            ) as p95_rate,
            arrayMax(rates) as max_rate
        from members
        where members.group_key is not null
        group by group_key
        having profiles > {{ env_var("DBT_PEER_GROUP_PROFILES", var("peer_group_profiles") | string) }}
    ),

    -- Bins of equal width from 0 to the 95th percentile, and one for the rest. Nothing is known of a group without
    -- rates.
    histograms as (
        select
            *,
            range(if(empty(rates), 0, {{ bins }})) as steps,
            arrayMap(step -> ifNull(p95_rate, 0) * step / {{ bins }}, steps) as lower_bounds,
            arrayMap(
                step -> if(step = {{ bins - 1 }}, ifNull(p95_rate, 0), ifNull(p95_rate, 0) * (step + 1) / {{ bins }}),
                steps
            ) as upper_bounds,
            arrayMap(
                (lower, upper) -> toFloat64(arrayCount(rate -> rate >= lower and rate < upper, rates)),
                lower_bounds,
                upper_bounds
            ) as heights
        from peer_groups
    ),

    final as (
        select
            group_key,
            {% for metric in peer_metrics() -%}
                {% for percent in [40, 60, 75, 90] -%} p{{ percent }}_{{ metric }}, {% endfor -%}
                group_avg_{{ metric }},
            {% endfor -%}
            profiles,
            arrayZip(lower_bounds, upper_bounds, heights) as er_histogram,
            CAST(null, 'Nullable(Float64)') as group_avg_reaction_rate,
            if(empty(rates), [], arrayPushBack(lower_bounds, ifNull(p95_rate, 0))) as bin_start,
            if(empty(rates), [], arrayPushBack(upper_bounds, ifNull(max_rate, 0))) as bin_end,
            if(
                empty(rates), [], arrayPushBack(heights, toFloat64(arrayCount(rate -> rate >= p95_rate, rates)))
            ) as bin_height
        from histograms
    )

select *
from final
