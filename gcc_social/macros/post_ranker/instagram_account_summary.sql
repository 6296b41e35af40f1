{% macro instagram_account_summary(recent_post_stats, key="profile_id") %}
    {#-
    Averages per account over its newest posts: all (overall), reels and statics, each also without outliers, that is without the top two and the
    bottom two. Two versions exist: by profile_id, and by handle, where averages of plays count only reels that were played.
-#}
    {%- set by_handle = key == "handle" %}

    with
        accounts as ({{ newest_account(key) }}),

        posts as (
            select stats.*
            from {{ recent_post_stats }} as stats
            {% if by_handle -%}
                -- Of two profiles that the scraper knows by one handle, the one scraped last has it.
                inner join accounts on stats.handle = accounts.handle and stats.profile_id = accounts.profile_id
            {% endif -%}
            where stats.{{ key }} != '' and stats.post_rank_by_class <= {{ var("recent_posts") }}
        ),

        ranked as (
            select
                *,
                post_rank <= {{ var("recent_posts") }} as is_recent,
                post_class = 'reels' as is_reel,
                post_class = 'static' as is_static,
                row_number() over (
                    partition by {{ key }}, post_rank <= {{ var("recent_posts") }}
                    order by likes desc, comments desc, publish_time desc, post_shortcode desc
                ) as likes_rank,
                row_number() over (
                    partition by {{ key }}, post_class
                    order by likes desc, comments desc, publish_time desc, post_shortcode desc
                ) as likes_rank_by_class,
                row_number() over (
                    partition by {{ key }}, post_class
                    order by plays desc, likes desc, comments desc, publish_time desc, post_shortcode desc
                ) as plays_rank_by_class,
                countIf(post_rank <= {{ var("recent_posts") }}) over (partition by {{ key }}) as posts_of_account,
                count() over (partition by {{ key }}, post_class) as posts_of_class
            from posts
        ),

        trimmed as (
            select
                *,
                is_recent and likes_rank between 3 and posts_of_account - 2 as is_kept,
                is_reel and plays_rank_by_class between 3 and posts_of_class - 2 as is_kept_reel,
                is_static and likes_rank_by_class between 3 and posts_of_class - 2 as is_kept_static
            from ranked
        ),

        totals as (
            select
                assumeNotNull({{ key }}) as {{ key }},
                max(followers) as followers,
                max(following) as following,
                max(if(is_recent, likes, null)) as max_likes,
                {% for set, flag in [
                    ("recent", "is_recent"),
                    ("reels", "is_reel"),
                    ("statics", "is_static"),
                    ("kept", "is_kept"),
                    ("kept_reels", "is_kept_reel"),
                    ("kept_statics", "is_kept_static"),
                ] %}
                    countIf({{ flag }}) as {{ set }},
                    sumIf(likes, {{ flag }}) as {{ set }}_likes,
                    sumIf(comments, {{ flag }}) as {{ set }}_comments,
                    sumIf(engagement, {{ flag }}) as {{ set }}_engagement,
                    sumIf(views, {{ flag }}) as {{ set }}_views,
                    sumIf(plays, {{ flag }}) as {{ set }}_plays,
                    countIf({{ flag }} and plays > 0) as {{ set }}_played,
                    {{ order_free_sum("reach", flag) }} as {{ set }}_reach,
                    {{ order_free_sum("impressions", flag) }} as {{ set }}_impressions
                    {%- if not loop.last %},{% endif %}
                {% endfor %}
            from trimmed
            group by {{ key }}
        ),

        final as (
            select
                totals.{{ key }} as {{ key }},
                totals.followers as followers,
                totals.following as following,
                {{ followers_per_followed("totals.followers", "totals.following") }} as ffratio,
                totals.reels as recent_reels,
                totals.statics as recent_statics,
                totals.recent as recent_posts,

                -- the newest posts
                {{ average("recent_comments", "recent") }} as avg_comments,
                {{ average("recent_likes", "recent") }} as avg_likes,
                {{ average("recent_reach", "recent") }} as avg_reach,
                {{ average("recent_impressions", "recent") }} as avg_impressions,
                {{ engagement_rate("recent_engagement", "recent") }} as avg_er,
                {% if not by_handle -%}
                    100 * totals.max_likes / nullIf(avg_likes, 0) as likes_spread_percentage,
                {% endif %}
                -- the newest reels
                {{ average("reels_comments", "reels") }} as avg_reels_comments,
                {{ average("reels_likes", "reels") }} as avg_reels_likes,
                {{ average("reels_views", "reels") }} as avg_reels_views,
                {{ average("reels_reach", "reels") }} as avg_reels_reach,
                {{ average("reels_impressions", "reels") }} as avg_reels_impressions,
                {% if by_handle -%} totals.reels_plays / if(totals.reels_played = 0, 1, totals.reels_played)
                {%- else -%} {{ average("reels_plays", "reels") }}
                {%- endif %} as avg_reels_plays,
                {{ engagement_rate("reels_comments + totals.reels_likes", "reels") }} as reels_er,

                -- the newest statics
                {{ average("statics_comments", "statics") }} as avg_statics_comments,
                {{ average("statics_likes", "statics") }} as avg_statics_likes,
                {{ average("statics_reach", "statics") }} as avg_static_reach,
                {{ average("statics_impressions", "statics") }} as avg_static_impressions,
                {{ engagement_rate("statics_engagement", "statics") }} as avg_static_er,

                -- without outliers
                totals.kept as posts_non_outliers,
                totals.kept_statics as statics_non_outliers,
                totals.kept_reels as reels_non_outliers,
                totals.kept_reach as reach_non_outliers,
                totals.kept_likes as likes_non_outliers,
                totals.kept_comments as comments_non_outliers,
                totals.kept_impressions as impressions_non_outliers,
                {{ average("kept_reach", "kept") }} as avg_reach_non_outliers,
                {{ engagement_rate("kept_comments + totals.kept_likes", "kept") }} as avg_er_non_outliers,
                {{ average("kept_likes", "kept") }} as avg_likes_non_outliers,
                {{ average("kept_comments", "kept") }} as avg_comments_non_outliers,
                {{ average("kept_impressions", "kept") }} as avg_impresions_non_outliers,
                {{ average("kept_reels_comments", "kept_reels") }} as avg_reels_comments_non_outliers,
                {{ average("kept_reels_likes", "kept_reels") }} as avg_reels_likes_non_outliers,
                {% if by_handle -%}
                    totals.kept_reels_plays / if(totals.kept_reels_played = 0, 1, totals.kept_reels_played)
                {%- else -%} {{ average("kept_reels_plays", "kept_reels") }}
                {%- endif %} as avg_reels_plays_non_outliers,
                {{ average("kept_reels_views", "kept_reels") }} as avg_reels_views_non_outliers,
                {{ average("kept_reels_reach", "kept_reels") }} as avg_reels_reach_non_outliers,
                {{ average("kept_reels_impressions", "kept_reels") }} as avg_reels_impressions_non_outliers,
                {{ engagement_rate("kept_reels_comments + totals.kept_reels_likes", "kept_reels") }}
                as reels_er_non_outliers,
                {{ average("kept_statics_comments", "kept_statics") }} as avg_statics_comments_non_outliers,
                {{ average("kept_statics_likes", "kept_statics") }} as avg_statics_likes_non_outliers,
                {{ engagement_rate("kept_statics_comments + totals.kept_statics_likes", "kept_statics") }}
                as static_er_non_outliers,
                {{ average("kept_statics_reach", "kept_statics") }} as static_reach_non_outliers,
                {{ average("kept_statics_impressions", "kept_statics") }} as static_impressions_non_outliers,

                -- the account
                accounts.media_count as total_posts,
                -- Without engagement the formula has no logarithm.
                max2(
                    round(
                        -0.000025017 * accounts.followers
                        + 1.11 * accounts.followers * abs(log2(100 * nullIf(avg_er, 0))) * 2 / 100
                    ),
                    0
                ) as story_reach
            from totals
            left join accounts on totals.{{ key }} = accounts.{{ key }}
        )

    select *
    from final

{% endmacro %}


{% macro order_free_sum(column, condition) -%}
    {#- Adding floats in another order gives other last digits; adding decimals does not. -#}
    toFloat64(sumIf(toDecimal128({{ column }}, 6), {{ condition }}))
{%- endmacro %}


{% macro average(total, posts) -%} totals.{{ total }} / nullIf(totals.{{ posts }}, 0) {%- endmacro %}


{% macro engagement_rate(total, posts) -%}
    (totals.{{ total }}) / nullIf(totals.followers, 0) / nullIf(totals.{{ posts }}, 0)
{%- endmacro %}
