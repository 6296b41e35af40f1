{{ config(tags=["daily", "leaderboard"], order_by="channelid") }}

{# A window's baseline is the newest week at least `days` before the current one, and less than `days` + `slack`. #}
{% set windows = [
    {"name": "7d", "days": 7, "slack": 7},
    {"name": "30d", "days": 30, "slack": 7},
    {"name": "1y", "days": 365, "slack": 31},
] %}
{% set counters = {"follower": "followers", "uploads": "uploads", "views": "views"} %}

with
    weeks as (select * from {{ ref("mart_yt_account_weekly") }}),

    newest_weeks as (select * from weeks order by date desc limit 1 by platform_id),

    -- How far back each week lies. An account that was not seen this week or the week before has no current value.
    dated_weeks as (
        select
            weeks.platform_id as platform_id,
            weeks.date as date,
            toNullable(weeks.followers) as followers,
            weeks.uploads as uploads,
            weeks.views as views,
            newest_weeks.date - weeks.date as days_before,
            newest_weeks.date >= toStartOfWeek(toDate({{ run_time() }})) - 7 as is_current
        from weeks
        inner join newest_weeks on newest_weeks.platform_id = weeks.platform_id
    ),

    final as (
        select
            platform_id as channelid,
            {% for window in windows -%}
                {%- set last_window = loop.last -%}
                {%- for output, counter in counters.items() -%}
                    maxIf(dated_weeks.{{ counter }}, is_current and days_before = 0) - argMaxIf(
                        dated_weeks.{{ counter }},
                        dated_weeks.date,
                        days_before >= {{ window.days }} and days_before < {{ window.days + window.slack }}
                    ) as {{ output }}_{{ window.name }}{{ "," if not (last_window and loop.last) }}
                {% endfor -%}
            {%- endfor %}
        from dated_weeks
        group by channelid
    )

select *
from final
