{{
    config(
        tags=["account_tracker_stats"],
        order_by="handle",
        meta={"stale_inputs": ["mart_youtube_leaderboard"]},
    )
}}

{%- set passing = "^\\\\((204|409|429)" -%}

with
    requests as (select * from {{ merged(ref("stg_beat_scrape_request_log")) }}),

    listed_channels as (select channel_id as handle, frequency_days from {{ ref("tracked_youtube_channels") }}),

    collections as (select * from {{ ref("stg_coffee_profile_collection") }}),

    collection_items as (select * from {{ ref("stg_coffee_profile_collection_item") }}),

    serving_accounts as (select * from {{ ref("stg_coffee_view_youtube_account_lite") }}),

    leaderboard as (select * from {{ once_built(ref("mart_youtube_leaderboard")) }}),

    accounts as (select * from {{ ref("stg_beat_youtube_account") }}),

    collected_channels as (
        select serving_accounts.channel_id as handle, collections.source as collection_source
        from collection_items
        inner join collections on collections.id = collection_items.profile_collection_id
        inner join serving_accounts on serving_accounts.id = collection_items.platform_account_code
        where collection_items.platform = 'YOUTUBE'
    ),

    tracker_channels as (select handle from collected_channels where collection_source = 'SAAS-AT'),

    collection_channels as (select handle from collected_channels where collection_source = 'SAAS'),

    leading_channels as (select platform_id as handle from leaderboard where {{ on_a_tracked_board("youtube") }}),

    scraped_channels as (
        select
            channel_id as handle,
            if(max(subscribers) > 10000, 'rest_beat_10k', 'rest_beat') as source_name,
            if(source_name = 'rest_beat_10k', 4, 5) as source_priority,
            if(source_name = 'rest_beat_10k', 1, 7) as source_days
        from accounts
        group by handle
    ),

    candidates as (
        {{
            handles_of_sources(
                [
                    {"name": "listed", "priority": 0, "members": "listed_channels", "days_column": "frequency_days"},
                    {"name": "saas_collection", "priority": 1, "members": "tracker_channels", "days": 1},
                    {"name": "saas_profile_collection", "priority": 2, "members": "collection_channels", "days": 1},
                    {"name": "leaderboard", "priority": 3, "members": "leading_channels", "days": 1},
                    {
                        "members": "scraped_channels",
                        "name_column": "source_name",
                        "priority_column": "source_priority",
                        "days_column": "source_days",
                    },
                ]
            )
        }}
    ),

    tracked_channels as ({{ most_urgent_source("candidates") }}),

    profile_attempts as (
        select
            arrayJoin(JSONExtract(ifNull(params, ''), 'channel_ids', 'Array(String)')) as handle,
            max(scraped_at) as last_attempt
        from requests
        where {{ is_attempt(["refresh_yt_profiles"], passing) }}
        group by handle
    ),

    -- The DAG asks by playlist of the channel, people ask by channel.
    video_attempts as (
        select JSONExtractString(ifNull(params, ''), 'channel_id') as handle, max(scraped_at) as last_attempt
        from requests
        where {{ is_attempt(["refresh_yt_posts_by_channel_id", "refresh_yt_posts_by_playlist_id"], passing) }}
        group by handle
    ),

    final as (
        select
            tracked_channels.handle as handle,
            tracked_channels.source as source,
            tracked_channels.priority as priority,
            tracked_channels.days as frequency,
            profile_attempts.last_attempt as last_attempt,
            video_attempts.last_attempt as last_videos_attempt,
            {% for attempts in ["profile_attempts", "video_attempts"] -%}
                if(
                    {{ attempts }}.last_attempt >= toDateTime('2020-01-01 00:00:00', 'UTC'),
                    {{ attempts }}.last_attempt + toIntervalDay(tracked_channels.days),
                    {{ run_time() }}
                ) as next_{{ "videos_" if attempts == "video_attempts" }}attempt{{ "," if not loop.last }}
            {% endfor %}
        from tracked_channels
        left join profile_attempts on profile_attempts.handle = tracked_channels.handle
        left join video_attempts on video_attempts.handle = tracked_channels.handle
    )

select *
from final
