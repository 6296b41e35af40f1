-- Tables of the campaign service, and of the link tracker beside it, that models and DAGs read.
-- Applied inside the database campaign_replica by `python -m schema apply --foreign-tables`.

-- Campaigns.
CREATE TABLE IF NOT EXISTS campaign
(
    id                          Int64,
    campaign_type               Nullable(String),
    platform_id                 Nullable(Int64),
    saas_collection_id          Nullable(String),
    saas_campaign_collection_id Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Which checks of a campaign run without a human.
CREATE TABLE IF NOT EXISTS brief
(
    id                            Int64,
    auto_verification             Nullable(UInt8),
    content_auto_verification     Nullable(UInt8),
    unique_link_auto_verification Nullable(UInt8)
)
ENGINE = MergeTree
ORDER BY id;

-- What a campaign asks for.
CREATE TABLE IF NOT EXISTS campaign_deliverable
(
    id            Int64,
    reference_url Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Shortlisted users that have a payout.
CREATE TABLE IF NOT EXISTS campaign_payout
(
    shortlisted_user_id Nullable(Int64)
)
ENGINE = MergeTree
ORDER BY ifNull(shortlisted_user_id, 0);

-- What creators handed in. Post formats: 2 story, 11 reel, 42 repost reel.
CREATE TABLE IF NOT EXISTS deliverable_submission
(
    id                      Int64,
    campaign_id             Nullable(Int64),
    brief_id                Nullable(Int64),
    campaign_deliverable_id Nullable(Int64),
    campaign_profile_id     Nullable(Int64),
    campaign_post_format_id Nullable(Int64),
    platform_id             Nullable(Int64),
    short_code              Nullable(String),
    status                  Nullable(String),
    level                   Nullable(String),
    handle_verified         Nullable(UInt8),
    saas_post_item_status   Nullable(String),
    created_on              Nullable(DateTime)
)
ENGINE = MergeTree
ORDER BY id;

-- Users chosen for a campaign.
CREATE TABLE IF NOT EXISTS shortlisted_user
(
    id         Int64,
    active     Nullable(UInt8),
    accepted   Nullable(UInt8),
    created_on Nullable(DateTime)
)
ENGINE = MergeTree
ORDER BY id;

-- Links handed to them; unique_link_data is a JSON array.
CREATE TABLE IF NOT EXISTS deliverable_shortlisted_user_link
(
    shortlisted_user_id Nullable(Int64),
    unique_link_data    Nullable(String)
)
ENGINE = MergeTree
ORDER BY ifNull(shortlisted_user_id, 0);

-- Applications of users to campaigns.
CREATE TABLE IF NOT EXISTS user_campaign_application
(
    id                               Int64,
    campaign_id                      Nullable(Int64),
    active                           Nullable(UInt8),
    created_on                       Nullable(DateTime),
    saas_campaign_collection_item_id Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Applications that have a journey.
CREATE TABLE IF NOT EXISTS user_campaign_journey
(
    uca_id Nullable(Int64)
)
ENGINE = MergeTree
ORDER BY ifNull(uca_id, 0);

-- Unique clicks per short link and day; url has no scheme.
CREATE TABLE IF NOT EXISTS link_clicks
(
    url           String,
    d             Date,
    unique_clicks Int64
)
ENGINE = MergeTree
ORDER BY (url, d);

-- Orders attributed to short links; link has no scheme.
CREATE TABLE IF NOT EXISTS link_clicks_orders
(
    link                         String,
    overall_orders               Int64,
    delivered_orders             Int64,
    completed_orders             Int64,
    leaderboard_overall_orders   Int64,
    leaderboard_delivered_orders Int64,
    leaderboard_completed_orders Int64
)
ENGINE = MergeTree
ORDER BY link;

-- Campaigns that a creator could join.
CREATE TABLE IF NOT EXISTS user_eligible_campaigns
(
    cp_id                          Int64,
    account_id                     Nullable(Int64),
    reward_ladder_campaign_ids     Array(Int64),
    non_reward_ladder_campaign_ids Array(Int64),
    webengage_user_id              Nullable(String)
)
ENGINE = MergeTree
ORDER BY cp_id;

-- Campaign and challenge cards for CRM messages.
CREATE TABLE IF NOT EXISTS collab_challenge_slot_combined_data
(
    campaign_id                    Int64,
    campaign_name                  Nullable(String),
    campaign_description           Nullable(String),
    campaign_tentative_payout_text Nullable(String),
    campaign_image                 Nullable(String),
    campaign_start_time            Nullable(DateTime),
    campaign_end_time              Nullable(DateTime),
    campaign_available_slots_count Nullable(Int64),
    campaign_crm_invitation_link   Nullable(String),
    campaign_type                  Nullable(String),
    reward_ladder_code             Nullable(String),
    reward_ladder_level            Nullable(Int64),
    campaign_invite_link           Nullable(String),
    challenge_id                   Nullable(Int64),
    challenge_name                 Nullable(String),
    challenge_image                Nullable(String),
    challenge_end_time             Nullable(DateTime),
    challenge_crm_invitation_link  Nullable(String),
    challenge_link                 Nullable(String)
)
ENGINE = MergeTree
ORDER BY campaign_id;
