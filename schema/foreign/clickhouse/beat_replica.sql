-- The scraper's tables as ClickHouse sees them through its PostgreSQL engine: booleans are UInt8, JSON is text,
-- and everything but a declared primary key is Nullable.
-- Applied inside the database beat_replica by `python -m schema apply --foreign-tables`.

-- One row per Instagram profile, upserted by every successful scrape. Tags (country, language, account_type) are
-- set by hand and mostly NULL.
CREATE TABLE IF NOT EXISTS instagram_account
(
    id                     Int64,
    profile_id             Nullable(String),
    handle                 Nullable(String),
    full_name              Nullable(String),
    profile_type           Nullable(String),
    biography              Nullable(String),
    followers              Nullable(Int64),
    following              Nullable(Int64),
    profile_pic_url        Nullable(String),
    category               Nullable(String),
    category_id            Nullable(String),
    fbid                   Nullable(String),
    media_count            Nullable(Int64),
    is_business_or_creator Nullable(UInt8),
    is_creator             Nullable(UInt8),
    is_in_gcc_collection   Nullable(UInt8),
    is_private             Nullable(UInt8),
    is_verified            Nullable(UInt8),
    on_gcc                 Nullable(UInt8),
    created_at             Nullable(DateTime64(6)),
    refreshed_at           Nullable(DateTime64(6)),
    updated_at             Nullable(DateTime64(6)),
    avg_comments           Nullable(Float64),
    avg_engagement         Nullable(Float64),
    avg_impressions        Nullable(Float64),
    avg_likes              Nullable(Float64),
    avg_reach              Nullable(Float64),
    avg_reels_plays        Nullable(Float64),
    country                Nullable(String),
    language               Nullable(String),
    account_type           Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- One row per Instagram post or story; a PostgreSQL view on the other side, so no column is declared NOT NULL.
CREATE TABLE IF NOT EXISTS instagram_post_simple
(
    id                Nullable(Int64),
    profile_id        Nullable(String),
    handle            Nullable(String),
    post_id           Nullable(String),
    post_type         Nullable(String),
    caption           Nullable(String),
    likes             Nullable(Int64),
    views             Nullable(Int64),
    plays             Nullable(Int64),
    comments          Nullable(Int64),
    reach             Nullable(Int64),
    saved             Nullable(Int64),
    shares            Nullable(Int64),
    impressions       Nullable(Int64),
    interactions      Nullable(Int64),
    engagement        Nullable(Float64),
    shortcode         Nullable(String),
    display_url       Nullable(String),
    thumbnail_url     Nullable(String),
    updated_at        Nullable(DateTime64(6)),
    created_at        Nullable(DateTime64(6)),
    publish_time      Nullable(DateTime64(6)),
    content_type      Nullable(String),
    taps_forward      Nullable(Int64),
    taps_back         Nullable(Int64),
    exits             Nullable(Int64),
    replies           Nullable(Int64),
    navigation        Nullable(Int64),
    profile_activity  Nullable(Int64),
    profile_visits    Nullable(Int64),
    follows           Nullable(Int64),
    video_views       Nullable(Int64),
    automatic_forward Nullable(Int64),
    swipe_back        Nullable(Int64),
    swipe_down        Nullable(Int64),
    swipe_forward     Nullable(Int64),
    swipe_up          Nullable(Int64),
    profile_follower  Nullable(Int64),
    profile_er        Nullable(Float64),
    profile_static_er Nullable(Float64),
    profile_reels_er  Nullable(Float64)
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Audience of profiles whose owner connected a token; the audience columns hold JSON objects.
CREATE TABLE IF NOT EXISTS instagram_profile_insights
(
    id                          Int64,
    profile_id                  Nullable(String),
    handle                      Nullable(String),
    created_at                  Nullable(DateTime64(6)),
    updated_at                  Nullable(DateTime64(6)),
    audience_country            Nullable(String),
    audience_city               Nullable(String),
    audience_gender_age         Nullable(String),
    audience_locale             Nullable(String),
    reached_audience_country    Nullable(String),
    reached_audience_city       Nullable(String),
    reached_audience_gender_age Nullable(String),
    engaged_audience_country    Nullable(String),
    engaged_audience_city       Nullable(String),
    engaged_audience_gender_age Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- One row per YouTube channel. country is ISO-2 or the word India, depending on the provider.
CREATE TABLE IF NOT EXISTS youtube_account
(
    id                         Int64,
    channel_id                 Nullable(String),
    title                      Nullable(String),
    description                Nullable(String),
    custom_url                 Nullable(String),
    subscribers                Nullable(Int64),
    uploads                    Nullable(Int64),
    views                      Nullable(Int64),
    country                    Nullable(String),
    thumbnail                  Nullable(String),
    thumbnails                 Nullable(String),
    published_at               Nullable(DateTime64(6)),
    is_subscriber_count_hidden Nullable(UInt8),
    is_verified                Nullable(UInt8),
    uploads_playlist_id        Nullable(String),
    external_urls              Nullable(String),
    created_at                 Nullable(DateTime64(6)),
    updated_at                 Nullable(DateTime64(6)),
    shorts                     Nullable(Int64),
    username                   Nullable(String),
    gplsuid                    Nullable(String),
    yt_category_id             Nullable(String),
    yt_category                Nullable(String),
    locale                     Nullable(String),
    er12p                      Nullable(Float64),
    tagged_country             Nullable(String),
    account_type               Nullable(String),
    language                   Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- One row per YouTube video; a view on the other side. post_type stays NULL until it is resolved.
CREATE TABLE IF NOT EXISTS youtube_post_simple
(
    id             Nullable(Int64),
    shortcode      Nullable(String),
    channel_id     Nullable(String),
    title          Nullable(String),
    description    Nullable(String),
    views          Nullable(Int64),
    likes          Nullable(Int64),
    comments       Nullable(Int64),
    favourites     Nullable(Int64),
    published_at   Nullable(DateTime64(6)),
    created_at     Nullable(DateTime64(6)),
    updated_at     Nullable(DateTime64(6)),
    thumbnails     Nullable(String),
    thumbnail      Nullable(String),
    duration       Nullable(String),
    channel_title  Nullable(String),
    category_id    Nullable(String),
    category       Nullable(String),
    audio_language Nullable(String),
    is_licensed    Nullable(UInt8),
    tags           Nullable(String),
    content_rating Nullable(String),
    playlist_id    Nullable(String),
    privacy_status Nullable(String),
    post_type      Nullable(String),
    keywords       Nullable(String)
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Audience of connected channels; values are percentages for gender and age, views for cities.
CREATE TABLE IF NOT EXISTS youtube_profile_insights
(
    id         Int64,
    channel_id Nullable(String),
    created_at Nullable(DateTime64(6)),
    updated_at Nullable(DateTime64(6)),
    country    Nullable(String),
    city       Nullable(String),
    gender_age Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Copies of pictures in object storage, one row per profile or post.
CREATE TABLE IF NOT EXISTS asset_log
(
    id           Int64,
    entity_id    Nullable(String),
    entity_type  Nullable(String),
    platform     Nullable(String),
    asset_type   Nullable(String),
    asset_url    Nullable(String),
    original_url Nullable(String),
    updated_at   Nullable(DateTime64(6)),
    created_at   Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- Shopify orders; utm_params and order_data are JSON text.
CREATE TABLE IF NOT EXISTS `order`
(
    id                Int64,
    platform          Nullable(String),
    platform_order_id Nullable(String),
    status            Nullable(String),
    name              Nullable(String),
    store             Nullable(String),
    store_name        Nullable(String),
    landing_site      Nullable(String),
    utm_params        Nullable(String),
    order_data        Nullable(String),
    created_at        Nullable(DateTime64(6)),
    updated_at        Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- Snapshots from before the event pipeline; dimensions and metrics are arrays of key/value objects, not flat ones
-- as in the event tables.
CREATE TABLE IF NOT EXISTS profile_log
(
    id          Int64,
    profile_id  Nullable(String),
    platform    Nullable(String),
    dimensions  Nullable(String),
    metrics     Nullable(String),
    source      Nullable(String),
    `timestamp` Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- As profile_log, for posts.
CREATE TABLE IF NOT EXISTS post_log
(
    id               Int64,
    platform         Nullable(String),
    profile_id       Nullable(String),
    platform_post_id Nullable(String),
    metrics          Nullable(String),
    dimensions       Nullable(String),
    source           Nullable(String),
    `timestamp`      Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- Comments and likes, written beside the event of the same name.
CREATE TABLE IF NOT EXISTS post_activity_log
(
    id               Int64,
    activity_type    Nullable(String),
    platform         Nullable(String),
    platform_post_id Nullable(String),
    actor_profile_id Nullable(String),
    dimensions       Nullable(String),
    metrics          Nullable(String),
    source           Nullable(String),
    `timestamp`      Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- source follows target; the JSON columns are flat objects.
CREATE TABLE IF NOT EXISTS profile_relationship_log
(
    id                Int64,
    relationship_type Nullable(String),
    platform          Nullable(String),
    source_profile_id Nullable(String),
    target_profile_id Nullable(String),
    source_dimensions Nullable(String),
    source_metrics    Nullable(String),
    target_dimensions Nullable(String),
    target_metrics    Nullable(String),
    source            Nullable(String),
    `timestamp`       Nullable(DateTime64(6))
)
ENGINE = MergeTree
ORDER BY id;

-- The scrape queue of the last months with its outcomes; data holds the text of the exception for FAILED.
CREATE TABLE IF NOT EXISTS recent_scrape_request_log
(
    id              Nullable(Int64),
    source          Nullable(String),
    platform        Nullable(String),
    data            Nullable(String),
    scraped_at      Nullable(DateTime64(6)),
    flow            Nullable(String),
    idempotency_key Nullable(String),
    status          Nullable(String),
    priority        Nullable(Int32),
    params          Nullable(String),
    created_at      Nullable(DateTime64(6)),
    account_id      Nullable(String),
    expires_at      Nullable(DateTime64(6)),
    picked_at       Nullable(DateTime64(6)),
    retry_count     Nullable(Int32)
)
ENGINE = MergeTree
ORDER BY ifNull(id, 0);

-- Connected accounts and provider keys. The secret column of the original is left out on purpose: nothing here may
-- need it.
CREATE TABLE IF NOT EXISTS credential
(
    id                  Int64,
    idempotency_key     Nullable(String),
    source              Nullable(String),
    handle              Nullable(String),
    created_at          Nullable(DateTime64(6)),
    updated_at          Nullable(DateTime64(6)),
    disabled_till       Nullable(DateTime64(6)),
    enabled             Nullable(UInt8),
    data_access_expired Nullable(UInt8)
)
ENGINE = MergeTree
ORDER BY id;
