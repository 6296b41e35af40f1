-- The product's (coffee) production tables as ClickHouse sees them through its PostgreSQL engine.
-- Applied inside the database coffee_replica by `python -m schema apply --foreign-tables`.

-- Post collections. id is text: UUIDs and a few short numbers.
CREATE TABLE IF NOT EXISTS post_collection
(
    id         String,
    partner_id Nullable(Int64),
    source     Nullable(String),
    created_at Nullable(DateTime64(6)),
    share_id   Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Posts of a collection. Story codes are all digits or begin with story_dum_.
CREATE TABLE IF NOT EXISTS post_collection_item
(
    id                 Int64,
    platform           Nullable(String),
    short_code         Nullable(String),
    post_type          Nullable(String),
    post_collection_id Nullable(String),
    posted_by_handle   Nullable(String),
    sponsor_links      Nullable(String),
    enabled            Nullable(UInt8),
    show_in_report     Nullable(UInt8),
    cost               Nullable(Int64),
    post_link          Nullable(String),
    post_thumbnail     Nullable(String),
    posted_by_cp_id    Nullable(Int64),
    created_at         Nullable(DateTime64(6)),
    updated_at         Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- Lists of profiles.
CREATE TABLE IF NOT EXISTS profile_collection
(
    id         Int64,
    share_id   Nullable(String),
    name       Nullable(String),
    partner_id Nullable(Int64),
    created_at Nullable(DateTime64(6)),
    source     Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Profiles of a list; platform_account_code is the id of the account-lite view.
CREATE TABLE IF NOT EXISTS profile_collection_item
(
    id                    Int64,
    platform              Nullable(String),
    platform_account_code Nullable(Int64),
    profile_collection_id Nullable(Int64),
    hidden                Nullable(UInt8),
    enabled               Nullable(UInt8),
    custom_columns        Nullable(String),
    `rank`                Nullable(Int64),
    created_by            Nullable(String),
    created_at            Nullable(DateTime64(6)),
    updated_at            Nullable(DateTime64(6)),
    partner_id            Nullable(Int64),
    profile_social_id     Nullable(String),
    campaign_profile_id   Nullable(Int64),
    shortlisting_status   Nullable(String),
    shortlist_id          Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Serving account ids by Instagram profile id.
CREATE TABLE IF NOT EXISTS view_instagram_account_lite
(
    id     Nullable(Int64),
    ig_id  Nullable(String),
    handle Nullable(String)
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Serving account ids by channel id; followers is 0 until the first scrape.
CREATE TABLE IF NOT EXISTS view_youtube_account_lite
(
    id         Nullable(Int64),
    channel_id Nullable(String),
    followers  Nullable(Int64),
    created_at Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Creators known to campaigns.
CREATE TABLE IF NOT EXISTS view_campaign_profile_lite
(
    id                  Nullable(Int64),
    platform            Nullable(String),
    platform_account_id Nullable(Int64),
    gcc_user_account_id Nullable(Int64)
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Keyword research jobs; report_path stays NULL until the report exists.
CREATE TABLE IF NOT EXISTS keyword_collection
(
    id          String,
    platform    Nullable(String),
    keywords    Array(Nullable(String)),
    start_time  Nullable(DateTime64(6)),
    end_time    Nullable(DateTime64(6)),
    report_path Nullable(String),
    enabled     Nullable(UInt8),
    created_at  Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- Only the key is known of this table.
CREATE TABLE IF NOT EXISTS collection_group
(
    id Int64
)
ENGINE = MergeTree
ORDER BY id;

-- Only the key is known of this table.
CREATE TABLE IF NOT EXISTS activity_tracker
(
    id Int64
)
ENGINE = MergeTree
ORDER BY id;
