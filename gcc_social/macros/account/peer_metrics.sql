{#-
    Family group_grading: the metrics by which an account is compared with its peer group.

    One entry per metric, in the order of mart_primary_group_metrics. `instagram` and `youtube` are the place of the metric's
    columns among the graded ones of that platform's mart; a platform without a place is not graded by the metric.
    Add a metric: one entry here, and a column of its name in both ungraded stages (NULL where it is not measured).
-#}
{% macro peer_metrics(platform=none) %}
    {%- set metrics = [
        {"name": "avg_likes", "instagram": 1, "youtube": 1},
        {"name": "avg_comments", "instagram": 2, "youtube": 2},
        {"name": "comments_rate", "instagram": 3, "youtube": 3},
        {"name": "avg_posts_per_week", "instagram": 19, "youtube": 18},
        {"name": "followers", "instagram": 4, "youtube": 4},
        {"name": "engagement_rate", "instagram": 5, "youtube": 5},
        {"name": "video_reach", "youtube": 20},
        {"name": "uploads_30d", "youtube": 9},
        {"name": "views_30d", "youtube": 10},
        {"name": "reels_reach", "instagram": 6},
        {"name": "image_reach", "instagram": 7},
        {"name": "story_reach", "instagram": 8},
        {"name": "shorts_reach", "youtube": 19},
        {"name": "likes_to_comment_ratio", "instagram": 11, "youtube": 6},
        {"name": "followers_growth7d", "instagram": 12, "youtube": 7},
        {"name": "followers_growth30d", "instagram": 13, "youtube": 8},
        {"name": "followers_growth90d", "instagram": 14, "youtube": 11},
        {"name": "followers_growth1y", "youtube": 12},
        {"name": "audience_reachability", "instagram": 15, "youtube": 13},
        {"name": "audience_authencity", "instagram": 16, "youtube": 14},
        {"name": "audience_quality", "youtube": 15},
        {"name": "post_count", "instagram": 17, "youtube": 16},
        {"name": "likes_spread", "instagram": 18, "youtube": 17},
        {"name": "reels_impressions", "instagram": 9},
        {"name": "image_impressions", "instagram": 10},
    ] -%}
    {%- if platform -%}
        {%- set metrics = metrics | selectattr(platform, "defined") | sort(attribute=platform) -%}
    {%- endif -%}
    {{ return(metrics | map(attribute="name") | list) }}
{% endmacro %}
