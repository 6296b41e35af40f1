{#-
    Rows of the four account series, mart_<platform>_account_<period>, from what the two families computed. The time
    series takes them from here as well, so that a row has one definition wherever it is computed.
-#}
{% macro instagram_account_rows(monthly, with_reach=false) %}
    select
        period as date,
        prev_period as p_date,
        'INSTAGRAM' as platform,
        profile_id as platform_id,
        views,
        likes,
        comments,
        engagement,
        plays,
        {% if with_reach -%} reach, impressions, {% endif -%}
        total_plays as plays_total,
        followers,
        following,
        followers - prev_followers as followers_change,
        avg_views,
        avg_likes,
        avg_comments,
        avg_er as engagement_rate,
        avg_plays,
        uploads,
        toUInt8(1) as enabled,
        toBool({{ 1 if monthly else 0 }}) as monthly_stats
    from account_periods
{%- endmacro %}


{% macro youtube_account_rows(monthly) %}
    select
        period as date,
        prev_period as p_date,
        'YOUTUBE' as platform,
        channel_id as platform_id,
        lifetime_views as views,
        lifetime_followers as followers,
        {% if monthly -%} lifetime_uploads as uploads, {% endif -%}
        followers_change,
        views_change,
        uploads_change,
        {% if not monthly -%} lifetime_uploads as uploads, {% endif -%}
        {% for unmeasured in [
            "engagement_rate",
            "likes",
            "plays",
            "comments",
            "engagement",
            "following",
            "avg_views",
            "avg_likes",
            "avg_comments",
            "avg_plays",
        ] -%}
            toUInt8(0) as {{ unmeasured }},
        {% endfor -%}
        toBool({{ 1 if monthly else 0 }}) as monthly_stats
    from channel_history
{%- endmacro %}
