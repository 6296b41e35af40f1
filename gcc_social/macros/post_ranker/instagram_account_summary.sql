{% macro instagram_account_summary(recent_post_stats, key="profile_id") %}
    {#-
    Averages per account over its newest posts: all (overall), reels and statics, each also without outliers, that is without the top two and the
    bottom two. Two versions exist: by profile_id, and by handle, where averages of plays count only reels that were played.
-#}
    {%- set by_handle = key == "handle" %}
    {%- set by_likes = "post .1, post .2, post .3, post .4" %}
    {%- set by_plays = "post .5, " ~ by_likes %}

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

        -- All posts of an account side by side: windows would sort every post four times, with all its columns. 1 to 5
        -- put posts in order, NULL as the lowest; 6 and 7 choose them; 8 to 14 are added up.
        grouped as (
            select
                assumeNotNull({{ key }}) as {{ key }},
                max(followers) as followers,
                max(following) as following,
                groupArray(
                    tuple(
                        ifNull(likes, -9223372036854775808),
                        ifNull(comments, -9223372036854775808),
                        publish_time,
                        post_shortcode,
                        ifNull(plays, -9223372036854775808),
                        post_rank,
                        post_class,
                        likes,
                        comments,
                        engagement,
                        views,
                        plays,
                        -- Adding floats in another order gives other last digits; adding decimals does not.
                        toDecimal128(reach, 6),
                        toDecimal128(impressions, 6)
                    )
                ) as posts_of_account
            from posts
            group by {{ key }}
        ),

        sets as (
            select
                * except (posts_of_account),
                arrayFilter(post -> post .6 <= {{ var("recent_posts") }}, posts_of_account) as recent_set,
                arrayFilter(post -> post .7 = 'reels', posts_of_account) as reels_set,
                arrayFilter(post -> post .7 = 'static', posts_of_account) as statics_set,
                {{ without_outliers("recent_set", by_likes) }} as kept_set,
                {{ without_outliers("reels_set", by_plays) }} as kept_reels_set,
                {{ without_outliers("statics_set", by_likes) }} as kept_statics_set
            from grouped
        ),

        totals as (
            select
                {{ key }},
                followers,
                following,
                arrayReduce('max', arrayMap(post -> post .8, recent_set)) as max_likes,
                {% for set in ["recent", "reels", "statics", "kept", "kept_reels", "kept_statics"] %}
                    length({{ set }}_set) as {{ set }},
                    arrayReduce('sum', arrayMap(post -> post .8, {{ set }}_set)) as {{ set }}_likes,
                    arrayReduce('sum', arrayMap(post -> post .9, {{ set }}_set)) as {{ set }}_comments,
                    arrayReduce('sum', arrayMap(post -> post .10, {{ set }}_set)) as {{ set }}_engagement,
                    arrayReduce('sum', arrayMap(post -> post .11, {{ set }}_set)) as {{ set }}_views,
                    arrayReduce('sum', arrayMap(post -> post .12, {{ set }}_set)) as {{ set }}_plays,
                    toUInt64(arrayCount(post -> ifNull(post .12 > 0, 0), {{ set }}_set)) as {{ set }}_played,
                    toFloat64(arrayReduce('sum', arrayMap(post -> post .13, {{ set }}_set))) as {{ set }}_reach,
                    toFloat64(arrayReduce('sum', arrayMap(post -> post .14, {{ set }}_set))) as {{ set }}_impressions
                    {%- if not loop.last %},{% endif %}
                {% endfor %}
            from sets
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


{#- A set of posts without the first two and the last two in that order, from the largest down; nothing of fewer than five. -#}
{% macro without_outliers(set, order) -%}
    arraySlice(arrayReverseSort(post -> ({{ order }}), {{ set }}), 3, greatest(length({{ set }}), 4) - 4)
{%- endmacro %}


{% macro average(total, posts) -%} totals.{{ total }} / nullIf(totals.{{ posts }}, 0) {%- endmacro %}


{% macro engagement_rate(total, posts) -%}
    (totals.{{ total }}) / nullIf(totals.followers, 0) / nullIf(totals.{{ posts }}, 0)
{%- endmacro %}
