{#- What each platform is ranked by, and how ties are settled. Every order ends with the account's key. -#}
{% macro leaderboard_metrics(platform) %}
    {{
        return(
            {
                "instagram": [
                    {"name": "followers", "order_by": ["followers", "platform_id"]},
                    {"name": "followers_change", "order_by": ["followers_change", "platform_id"]},
                    {"name": "views", "order_by": ["views", "platform_id"]},
                    {"name": "plays", "order_by": ["plays", "platform_id"]},
                ],
                "youtube": [
                    {"name": "followers", "order_by": ["followers", "followers_change", "views", "platform_id"]},
                    {
                        "name": "followers_change",
                        "order_by": ["followers_change", "followers", "views", "platform_id"],
                    },
                    {"name": "views", "order_by": ["views", "followers", "followers_change", "platform_id"]},
                ],
                "cross_platform": [
                    {"name": "followers", "order_by": ["followers", "platform_id", "profile_platform"]},
                    {"name": "followers_change", "order_by": ["followers_change", "platform_id", "profile_platform"]},
                    {"name": "views", "order_by": ["views", "platform_id", "profile_platform"]},
                ],
            }[platform]
        )
    }}
{% endmacro %}
