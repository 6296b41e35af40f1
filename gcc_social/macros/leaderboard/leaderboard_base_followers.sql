{#-
    Family leaderboard_base_followers: an Instagram account's followers and posts per calendar month or week.

    Emits the CTEs that end in `account_periods`, one row per (period, profile_id) that has a follower count:
    period, prev_period (of the account's preceding row, however old), profile_id, followers, following, the sums of
    the posts published in the period (views, likes, comments, engagement, plays, reach, impressions; NULL in a period
    without posts), uploads (0 then), total_plays (running total of plays), averages per post, previous_available and,
    for what is followed over time, prev_*.

    period       month or week (weeks start on Sunday)
    gap_days     how much older the preceding row may be to count as the previous period: 31 or 7
    followers    max: the highest count seen in the period in any feed;
                 latest: the last one by event time, of the best feed (live, then monthly statistics, then profile dump)
    accounts     a CTE with the platform_id of the accounts to compute; all without
    posts        SQL of the posts; without, mart_instagram_all_posts_with_ranks, which alone has reach and impressions

    Periods come from the time of the event. Counts that are no number are no snapshot, not a snapshot of 0.
-#}
{% macro leaderboard_base_followers(period="month", gap_days=31, followers="max", accounts=none, posts=none) %}
    {%- set period_start = {"month": "toStartOfMonth", "week": "toStartOfWeek"}[period] -%}
    {%- set counted = ["views", "likes", "comments", "engagement", "plays"] -%}
    {%- set estimated = [] if posts else ["reach", "impressions"] -%}
    {%- set followed = ["followers", "plays", "views"] -%}

    profile_days as (
        select *
        from {{ merged(ref("stg_beat_profile_log")) }}
        where platform = 'INSTAGRAM' {{ of_accounts("profile_id", accounts) }}
    ),

    page_stats as (
        select * from {{ source("vidooly", "instagram_page_stats") }} where 1 {{ of_accounts("page_id", accounts) }}
    ),

    profile_dump as (
        select * from {{ source("vidooly", "instagram_profiles") }} where 1 {{ of_accounts("profile_id", accounts) }}
    ),

    posts as ({{ posts or "select * from " ~ ref("mart_instagram_all_posts_with_ranks") }}),

    snapshots as (
        select profile_id, date as seen_on, followers, following, 3 as feed
        from profile_days
        union all
        -- A month's statistics are the level at its end.
        select
            page_id,
            toLastDayOfMonth(toDate(parseDateTimeOrNull(concat(month, '01'), '%Y%m%d'))),
            toInt64OrNull(prev_followers) + toInt64OrNull(followers),
            null,
            2
        from page_stats
        union all
        select profile_id, toDate('{{ var("instagram_profile_dump_date") }}'), toInt64OrNull(followers), null, 1
        from profile_dump
    ),

    follower_periods as (
        select
            assumeNotNull({{ period_start }} (seen_on)) as period,
            assumeNotNull(profile_id) as profile_id,
            {% if followers == "max" -%} max(snapshots.followers)
            {%- else -%} argMax(snapshots.followers, (feed, ifNull(seen_on, toDate(0)), snapshots.followers))
            {%- endif %} as followers,
            argMax(snapshots.following, (feed, ifNull(seen_on, toDate(0)))) as following
        from snapshots
        where ifNull(profile_id, '') != '' and seen_on is not null and snapshots.followers is not null
        group by period, profile_id
    ),

    post_sums as (
        select
            {{ period_start }} (toDate(publish_time)) as period,
            assumeNotNull(posts.profile_id) as profile_id,
            toInt64(uniqExact(post_shortcode)) as uploads,
            {% for column in counted -%} sum(posts.{{ column }}) as {{ column }}{{ "," if not loop.last }} {% endfor %}
            {%- for column in estimated %}, {{ order_free_sum("posts." ~ column) }} as {{ column }} {%- endfor %}
        from posts
        where ifNull(posts.profile_id, '') != '' {{ of_accounts("posts.profile_id", accounts) }}
        group by period, profile_id
    ),

    post_periods as (
        select
            *,
            sum(plays) over (
                partition by profile_id order by period rows between unbounded preceding and current row
            ) as total_plays
        from post_sums
    ),

    joined_periods as (
        select
            follower_periods.period as period,
            follower_periods.profile_id as profile_id,
            follower_periods.followers as followers,
            follower_periods.following as following,
            post_periods.uploads as uploads,
            {% for column in counted + estimated + ["total_plays"] -%}
                post_periods.{{ column }} as {{ column }},
            {% endfor -%}
            {% for column in ["views", "likes", "comments", "plays", "engagement"] -%}
                post_periods.{{ column }}
                / nullIf(post_periods.uploads, 0) as avg_{{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from follower_periods
        left join
            post_periods
            on post_periods.profile_id = follower_periods.profile_id
            and post_periods.period = follower_periods.period
    ),

    account_periods as (
        select
            *,
            avg_engagement / nullIf(followers, 0) as avg_er,
            {{ previous_period("period", "account_history") }} as prev_period,
            {{ previous_available("period", gap_days, "account_history") }} as previous_available,
            {% for column in followed -%}
                {{ previous_value(column, "previous_available", "account_history") }}
                as prev_{{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from joined_periods
        window account_history as ({{ account_history_window(["profile_id"], "period") }})
    )
{%- endmacro %}


{#- A further condition: the row is of one of the accounts in a CTE. Nothing when no CTE is named. -#}
{% macro of_accounts(column, accounts) -%}
    {%- if accounts %} and {{ column }} in (select platform_id from {{ accounts }}) {%- endif -%}
{%- endmacro %}


{#- Period of the account's preceding row, whatever lies between; NULL for its first one. -#}
{% macro previous_period(period, window) -%} lagInFrame(toNullable({{ period }})) over {{ window }} {%- endmacro %}
