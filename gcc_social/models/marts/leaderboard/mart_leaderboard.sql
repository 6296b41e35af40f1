{{ config(tags=["daily", "leaderboard"], order_by=["month", "platform", "platform_id", "profile_platform"]) }}

with
    instagram as (select * from {{ ref("mart_instagram_leaderboard") }}),

    youtube as (select * from {{ ref("mart_youtube_leaderboard") }}),

    cross_platform as (select * from {{ ref("mart_cross_platform_leaderboard") }}),

    final as (
        {{ leaderboard_rows("instagram", "'IA'", leaderboard_metrics("instagram")) }}
        union all
        {{ leaderboard_rows("youtube", "'YA'", leaderboard_metrics("youtube")) }}
        union all
        {{
            leaderboard_rows(
                "cross_platform", "cross_platform.profile_platform", leaderboard_metrics("cross_platform")
            )
        }}
    )

select *
from final
