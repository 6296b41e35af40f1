-- Outputs of data-science jobs and hand-kept lists that models and DAGs read.
-- Applied inside the database ds by `python -m schema apply --foreign-tables`.

-- Country names to ISO-2 codes.
CREATE TABLE IF NOT EXISTS country_codes
(
    name String,
    code String
)
ENGINE = MergeTree
ORDER BY name;

-- Survey of a creator programme; the column names are those of the questionnaire.
CREATE TABLE IF NOT EXISTS trinity_phase_two
(
    handle                      Nullable(String),
    `g3.Name`                   Nullable(String),
    `g3.City`                   Nullable(String),
    `g3.State`                  Nullable(String),
    `g3.Tier`                   Nullable(String),
    `g3.Brands Interested`      Nullable(String),
    `g3.Brands Purchased From`  Nullable(String),
    `g3.Categories Interested`  Nullable(String),
    `g3.Concerns`               Nullable(String),
    `g3.Ingredients Interested` Nullable(String),
    `g3.Price preference`       Nullable(String),
    `g3.Discount preference`    Nullable(String),
    `g3.Preferred channel`      Nullable(String),
    `g3.Preferred day`          Nullable(String),
    `g3.Preferred hour`         Nullable(String),
    `g3.Persona`                Nullable(String),
    `g3.Insta Handle`           Nullable(String),
    profiles_i_follow           Array(String),
    my_top_influencers          Array(String),
    my_top_brands               Array(String),
    brand_mentions              Array(String),
    time_slots                  Array(String),
    age                         Nullable(String)
)
ENGINE = MergeTree
ORDER BY ifNull(handle, '');

-- Follow graph of the same programme.
CREATE TABLE IF NOT EXISTS trinity_graph
(
    profile_id        String,
    following         Nullable(Int64),
    profiles_i_follow Array(String)
)
ENGINE = MergeTree
ORDER BY profile_id;

-- Profiles whose stories are always scraped.
CREATE TABLE IF NOT EXISTS explicitly_instagram_stories
(
    profile_id String,
    handle     String
)
ENGINE = MergeTree
ORDER BY profile_id;

-- Handles selected for the fake-follower analysis.
CREATE TABLE IF NOT EXISTS creator_handles_fake_follower_poc
(
    handle String
)
ENGINE = MergeTree
ORDER BY handle;

-- Scores per follower: 1 fake, 0 real, 2 unknown.
CREATE TABLE IF NOT EXISTS creator_followers_fake_analysis
(
    handle                            Nullable(String),
    follower_handle                   Nullable(String),
    follower_full_name                Nullable(String),
    symbolic_name                     Nullable(String),
    fake_real_based_on_lang           Nullable(Int64),
    transliterated_follower_name      Nullable(String),
    decoded_name                      Nullable(String),
    cleaned_handle                    Nullable(String),
    cleaned_name                      Nullable(String),
    chhitij_logic                     Nullable(Int64),
    number_handle                     Nullable(Int64),
    number_more_than_4_handle         Nullable(Int64),
    similarity_score                  Nullable(Float64),
    fake_real_based_on_fuzzy_score_90 Nullable(Int64),
    process1_                         Nullable(Int64),
    final_                            Nullable(Float64),
    numeric_handle                    Nullable(Int64),
    indian_name_score                 Nullable(Float64),
    score_80                          Nullable(Int64)
)
ENGINE = MergeTree
ORDER BY (ifNull(handle, ''), ifNull(follower_handle, ''));

-- Predicted categories of a profile, best first.
CREATE TABLE IF NOT EXISTS categorization_zsl
(
    profile_id      String,
    ig_category     Nullable(String),
    cat_from_ig_cat Array(Tuple(String, Float64)),
    cat_from_bio    Array(Tuple(String, Float64))
)
ENGINE = MergeTree
ORDER BY profile_id;

-- Predicted gender, age and place of follower profiles.
CREATE TABLE IF NOT EXISTS instagram_prediction
(
    profile_id            Int64,
    gender_male           Nullable(Float64),
    gender_female         Nullable(Float64),
    gender_from_img_model Nullable(String),
    age                   Nullable(Float64),
    top_cities            Nullable(String),
    state                 Nullable(String),
    country               Nullable(String)
)
ENGINE = MergeTree
ORDER BY profile_id;

-- Link clicks of posts, mostly stories, that somebody copied from the creators' own statistics.
CREATE TABLE IF NOT EXISTS campaign_post_links_clicks
(
    handle             Nullable(String),
    short_code         Nullable(String),
    post_link          Nullable(String),
    Clicks             Nullable(Int64),
    post_collection_id Nullable(String)
)
ENGINE = MergeTree
ORDER BY (ifNull(post_collection_id, ''), ifNull(short_code, ''));
