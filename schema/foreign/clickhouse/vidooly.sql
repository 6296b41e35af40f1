-- Bought dumps. They never change, so their dated names and their text-typed numbers stay as delivered.
-- Applied inside the database vidooly by `python -m schema apply --foreign-tables`.

-- Old profile dump; followers is text, the words NULL and empty text both mean missing.
CREATE TABLE IF NOT EXISTS instagram_profiles
(
    profile_id           String,
    profile_name         Nullable(String),
    followers            Nullable(String),
    country              Nullable(String),
    city                 Nullable(String),
    gender               Nullable(String),
    email                Nullable(String),
    contact_phone_number Nullable(String),
    public_phone_number  Nullable(String),
    saved_thumbnail      Nullable(String)
)
ENGINE = MergeTree
ORDER BY profile_id;

-- Directory that links Instagram profiles and YouTube channels; empty text means no account there.
CREATE TABLE IF NOT EXISTS social_profiles_new_20230217
(
    instagram_userid            String,
    instagram_username          Nullable(String),
    youtube_userid              String,
    country                     Nullable(String),
    ccatid                      Nullable(String),
    language                    Nullable(String),
    youtube_category            Nullable(String),
    contacts_email              Nullable(String),
    contacts_phone              Nullable(String),
    youtube_demographic_m_13_17 Nullable(Float64),
    youtube_demographic_m_18_24 Nullable(Float64),
    youtube_demographic_m_25_34 Nullable(Float64),
    youtube_demographic_m_35_44 Nullable(Float64),
    youtube_demographic_m_45_54 Nullable(Float64),
    youtube_demographic_m_55_64 Nullable(Float64),
    youtube_demographic_m_65    Nullable(Float64),
    youtube_demographic_m_all   Nullable(Float64),
    youtube_demographic_f_13_17 Nullable(Float64),
    youtube_demographic_f_18_24 Nullable(Float64),
    youtube_demographic_f_25_34 Nullable(Float64),
    youtube_demographic_f_35_44 Nullable(Float64),
    youtube_demographic_f_45_54 Nullable(Float64),
    youtube_demographic_f_55_64 Nullable(Float64),
    youtube_demographic_f_65    Nullable(Float64),
    youtube_demographic_f_all   Nullable(Float64)
)
ENGINE = MergeTree
ORDER BY (youtube_userid, instagram_userid);

-- Category labels.
CREATE TABLE IF NOT EXISTS category
(
    id       Int64,
    category Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- YouTube's own categories.
CREATE TABLE IF NOT EXISTS youtube_category
(
    id       Int64,
    category Nullable(String)
)
ENGINE = MergeTree
ORDER BY id;

-- Channels to crawl for subscriptions.
CREATE TABLE IF NOT EXISTS youtube_channels_india
(
    id String
)
ENGINE = MergeTree
ORDER BY id;

-- Lifetime counters per channel and month, as text.
CREATE TABLE IF NOT EXISTS channels_monthly_stats_20230219
(
    id                   String,
    month                String,
    lifetime_views       Nullable(String),
    lifetime_subscribers Nullable(String),
    lifetime_uploads     Nullable(String)
)
ENGINE = MergeTree
ORDER BY (id, month);

-- Lifetime counters per channel and month, as numbers.
CREATE TABLE IF NOT EXISTS channels_monthly_stats_20230709
(
    id                   String,
    month                String,
    lifetime_views       Nullable(Int64),
    lifetime_subscribers Nullable(Int64),
    lifetime_uploads     Nullable(Int64)
)
ENGINE = MergeTree
ORDER BY (id, month);

-- Followers before a month and their change in it; month is YYYYMM, numbers are text.
CREATE TABLE IF NOT EXISTS instagram_page_stats
(
    page_id        String,
    month          String,
    prev_followers Nullable(String),
    followers      Nullable(String)
)
ENGINE = MergeTree
ORDER BY (page_id, month);

-- Old posts; publish_time is Indian local time.
CREATE TABLE IF NOT EXISTS instagram_posts_historical_cleaned_v2
(
    profile_id   Nullable(String),
    handle       Nullable(String),
    shortcode    Nullable(String),
    post_type    Nullable(String),
    likes        Nullable(Int64),
    comments     Nullable(Int64),
    views        Nullable(Int64),
    plays        Nullable(Int64),
    publish_time Nullable(DateTime)
)
ENGINE = MergeTree
ORDER BY (ifNull(profile_id, ''), ifNull(shortcode, ''));
