{{
    config(
        tags=["account_tracker_stats"],
        order_by="handle",
        meta={"stale_inputs": ["mart_instagram_account", "mart_instagram_leaderboard"]},
    )
}}

with
    requests as (select * from {{ merged(ref("stg_beat_scrape_request_log")) }}),

    listed_profiles as (select * from {{ ref("tracked_instagram_profiles") }}),

    social_accounts as (select * from {{ source("identity_replica", "social_account") }}),

    collections as (select * from {{ ref("stg_coffee_profile_collection") }}),

    collection_items as (select * from {{ ref("stg_coffee_profile_collection_item") }}),

    serving_accounts as (select * from {{ ref("stg_coffee_view_instagram_account_lite") }}),

    campaign_profiles as (select * from {{ ref("stg_coffee_campaign_profiles") }}),

    leaderboard as (select * from {{ once_built(ref("mart_instagram_leaderboard")) }}),

    accounts as (select * from {{ once_built(ref("mart_instagram_account")) }}),

    new_users as (
        select handle
        from social_accounts
        where platform = 'INSTAGRAM' and created_on >= {{ run_time() }} - interval 7 day
    ),

    collected_profiles as (
        select
            serving_accounts.handle as handle,
            collections.source as collection_source,
            collection_items.updated_at as collected_at
        from collection_items
        inner join collections on collections.id = collection_items.profile_collection_id
        inner join serving_accounts on serving_accounts.id = collection_items.platform_account_code
        where collection_items.platform = 'INSTAGRAM' and collection_items.profile_social_id != ''
    ),

    tracker_profiles as (select handle from collected_profiles where collection_source = 'SAAS-AT'),

    collection_profiles as (
        select handle
        from collected_profiles
        where collection_source = 'SAAS' and collected_at >= {{ run_time() }} - interval 30 day
    ),

    leading_profiles as (select handle from leaderboard where {{ on_a_tracked_board("instagram") }}),

    campaign_handles as (
        select serving_accounts.handle as handle
        from campaign_profiles
        inner join serving_accounts on serving_accounts.id = campaign_profiles.platform_account_id
        where
            campaign_profiles.platform = 'INSTAGRAM'
            and campaign_profiles.platform_account_id > 0
            and campaign_profiles.gcc_user_account_id > 0
    ),

    -- One pass over all accounts: whoever is due as one of the rest is due as an Indian one, whose turn comes sooner.
    account_handles as (
        select
            handle,
            multiIf(max(country = 'IN') = 1, 'saas', max(followers) > 2000, 'rest_2k', 'rest') as source_name,
            multiIf(source_name = 'saas', 5, source_name = 'rest_2k', 7, 8) as source_priority,
            if(source_name = 'saas', 14, 30) as source_days
        from accounts
        group by handle
    ),

    candidates as (
        {{
            handles_of_sources(
                [
                    {"name": "listed", "priority": 0, "members": "listed_profiles", "days_column": "cooldown_days"},
                    {"name": "app", "priority": 1, "members": "new_users", "days": 30},
                    {"name": "saas-collection", "priority": 4, "members": "tracker_profiles", "days": 1},
                    {"name": "leaderboard", "priority": 4, "members": "leading_profiles", "days": 7},
                    {"name": "saas-profile-collection", "priority": 5, "members": "collection_profiles", "days": 1},
                    {"name": "cm", "priority": 6, "members": "campaign_handles", "days": 30},
                    {
                        "members": "account_handles",
                        "name_column": "source_name",
                        "priority_column": "source_priority",
                        "days_column": "source_days",
                    },
                ]
            )
        }}
    ),

    attempts as (
        select JSONExtractString(ifNull(params, ''), 'handle') as handle, max(scraped_at) as last_attempt
        from requests
        where {{ is_attempt(["refresh_profile_by_handle"], passing="^\\\\((204|409|429)|NoneType") }}
        group by handle
    ),

    due_candidates as (
        select candidates.*
        from candidates
        left join attempts on attempts.handle = candidates.handle
        where
            attempts.last_attempt is null or attempts.last_attempt <= {{ run_time() }} - toIntervalDay(candidates.days)
    ),

    final as (select handle, source, priority from ({{ most_urgent_source("due_candidates") }}))

select *
from final
