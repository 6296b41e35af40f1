-- Tables of the identity service that models and DAGs read.
-- Applied inside the database identity_replica by `python -m schema apply --foreign-tables`.

-- Social accounts of app users. The access token of the original is left out on purpose.
CREATE TABLE IF NOT EXISTS social_account
(
    account_id                     Nullable(Int64),
    handle                         Nullable(String),
    platform                       Nullable(String),
    created_on                     Nullable(DateTime),
    campaign_profile_id            Nullable(Int64),
    final_post_link_submitted_once Nullable(UInt8),
    access_token_expired           Nullable(UInt8)
)
ENGINE = MergeTree
ORDER BY (ifNull(platform, ''), ifNull(handle, ''));

-- App profile of a creator; user_categories is a JSON array of objects with a name.
CREATE TABLE IF NOT EXISTS host_profile
(
    user_client_account_id Nullable(Int64),
    user_categories        Nullable(String),
    webengage_user_id      Nullable(String)
)
ENGINE = MergeTree
ORDER BY ifNull(user_client_account_id, 0);
