{#-
    Lifetime counters of YouTube channels per calendar month or week, stitched from three feeds.

    Emits the CTEs that end in `channel_periods`, one row per (period, channel_id) with known subscribers: period,
    channel_id, lifetime_views, lifetime_followers, lifetime_uploads. Each counter is one known value of the best feed
    that has it: daily scrapes, then the later dump, then the earlier one.

    period       month: the last value of the month, from leaderboard_first_month on; the later dump is monthly
                 week:  the first value of the week, which starts on Sunday; the later dump is of daily files
    accounts     a CTE with the platform_id of the channels to compute; all without
-#}
{% macro youtube_channel_periods(period="month", accounts=none) %}
    {%- set monthly = period == "month" -%}
    {%- set month = "ifNull(toDate(parseDateTimeBestEffortOrNull(month)), toDate(0))" -%}
    {%- set later_dump = source("vidooly", "channels_monthly_stats" if monthly else "youtube_channels") -%}

    early_dump as (
        select * from {{ source("vidooly", "channels_monthly_stats_text") }} where 1 {{ of_accounts("id", accounts) }}
    ),

    late_dump as (select * from {{ later_dump }} where 1 {{ of_accounts("id", accounts) }}),

    profile_days as (
        select *
        from {{ merged(ref("stg_beat_profile_log")) }}
        where platform = 'YOUTUBE' {{ of_accounts("profile_id", accounts) }}
    ),

    observations as (
        select
            id as channel_id,
            -- A month's statistics are the level at its end.
            {{ month if monthly else "toLastDayOfMonth(" ~ month ~ ")" }} as seen_on,
            toInt64OrNull(lifetime_views) as lifetime_views,
            toInt64OrNull(lifetime_subscribers) as lifetime_followers,
            toInt64OrNull(lifetime_uploads) as lifetime_uploads,
            1 as feed
        from early_dump
        union all
        {% if monthly -%}
            select id, {{ month }}, lifetime_views, lifetime_subscribers, lifetime_uploads, 2 from late_dump
        {%- else -%}
            -- The day of a file stands in its name, after the last underscore.
            select
                id,
                ifNull(
                    toDate(parseDateTimeOrNull(splitByChar('.', splitByChar('_', _path)[-1])[1], '%Y%m%d')), toDate(0)
                ),
                toInt64OrNull(view_count),
                toInt64OrNull(subscriber_count),
                toInt64OrNull(video_count),
                2
            from late_dump
        {%- endif %}
        union all
        select profile_id, date, views, followers, uploads, 3
        from profile_days
    ),

    -- What was observed live corrects the dumps, and the later dump corrects the earlier one.
    snapshots as (
        select
            *,
            (
                feed,
                {{ "" if monthly else "-" }} toInt32(seen_on),
                ifNull(lifetime_followers, -1),
                ifNull(lifetime_views, -1),
                ifNull(lifetime_uploads, -1)
            ) as best
        from observations
        where
            channel_id != ''
            -- A day that cannot be read is one of 1970.
            and seen_on >= toDate('{{ var("leaderboard_first_month") if monthly else "1971-01-01" }}')
    ),

    channel_periods as (
        select
            {{ "toStartOfMonth" if monthly else "toStartOfWeek" }} (seen_on) as period,
            channel_id,
            argMax(snapshots.lifetime_views, best) as lifetime_views,
            assumeNotNull(argMax(snapshots.lifetime_followers, best)) as lifetime_followers,
            argMax(snapshots.lifetime_uploads, best) as lifetime_uploads
        from snapshots
        group by period, channel_id
        having max(snapshots.lifetime_followers) is not null
    )
{%- endmacro %}
