-- The product's (coffee) staging tables, of which far fewer columns are read.
-- Applied inside the database coffee_stage by `python -m schema apply --foreign-tables`.

-- Staging twin of coffee_replica.post_collection_item.
CREATE TABLE IF NOT EXISTS post_collection_item
(
    id                 Int64,
    platform           Nullable(String),
    short_code         Nullable(String),
    post_type          Nullable(String),
    post_collection_id Nullable(String),
    posted_by_handle   Nullable(String),
    sponsor_links      Nullable(String),
    post_link          Nullable(String),
    post_thumbnail     Nullable(String),
    enabled            Nullable(UInt8),
    show_in_report     Nullable(UInt8),
    retrieve_data      Nullable(UInt8),
    cost               Nullable(Int64),
    created_at         Nullable(DateTime64(6)),
    updated_at         Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- Staging twin of coffee_replica.profile_collection_item.
CREATE TABLE IF NOT EXISTS profile_collection_item
(
    id                    Int64,
    platform              Nullable(String),
    profile_collection_id Nullable(Int64),
    profile_social_id     Nullable(String),
    shortlist_id          Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Staging twin.
CREATE TABLE IF NOT EXISTS view_instagram_account_lite
(
    id     Nullable(Int64),
    ig_id  Nullable(String),
    handle Nullable(String)
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Staging twin.
CREATE TABLE IF NOT EXISTS view_youtube_account_lite
(
    id         Nullable(Int64),
    channel_id Nullable(String),
    followers  Nullable(Int64),
    created_at Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);
