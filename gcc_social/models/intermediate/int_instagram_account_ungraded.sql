{{
    config(
        tags=["hourly"],
        order_by="ig_id",
        meta={
            "stale_inputs": [
                "mart_instagram_account_summary",
                "mart_instagram_all_posts_with_ranks",
                "mart_insta_account_weekly",
            ]
        },
    )
}}

{#- The Sunday on which the current week began. -#}
{%- set this_week = "toStartOfWeek(toDate(" ~ run_time() ~ "))" %}
{#- The weeks that the sums of 30 days look at: the current one, and the four that began within 30 days before it. -#}
{%- set recent = "between " ~ this_week ~ " - interval 30 day and " ~ this_week %}
{%- set recent_weeks = 5 %}
{%- set slack_days = var("growth_baseline_slack_days") %}
{%- set growth_spans = {"7d": "7 day", "30d": "30 day", "90d": "90 day", "1y": "1 year"} %}
{#- metric: the columns of the summary that hold its plain average and the one without outliers -#}
{%- set averages = {
    "avg_likes": ("avg_likes", "avg_likes_non_outliers"),
    "avg_comments": ("avg_comments", "avg_comments_non_outliers"),
    "avg_reach": ("avg_reach", "avg_reach_non_outliers"),
    "avg_reels_play_count": ("avg_reels_plays", "avg_reels_plays_non_outliers"),
    "engagement_rate": ("avg_er", "avg_er_non_outliers"),
    "reels_reach": ("avg_reels_reach", "avg_reels_reach_non_outliers"),
    "image_reach": ("avg_static_reach", "static_reach_non_outliers"),
} %}

with
    accounts as (select * from {{ ref("int_instagram_account") }}),

    links as (select * from {{ ref("mart_linked_socials") }}),

    summaries as (select * from {{ once_built(ref("mart_instagram_account_summary")) }}),

    posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

    weeks as (select * from {{ once_built(ref("mart_insta_account_weekly")) }}),

    owned_posts as (select * from {{ once_built(ref("mart_instagram_all_posts_with_ranks")) }}),

    every_audience as (select * from {{ ref("mart_audience_info") }}),

    collection_posts as (select * from {{ ref("mart_collection_post") }}),

    guesses as (select * from {{ ref("mart_instagram_gpt_basic_data") }}),

    assets as (select * from {{ merged(ref("stg_beat_asset_log")) }}),

    profile_dump as (select * from {{ source("vidooly", "instagram_profiles") }}),

    pictures as ({{ stored_pictures("PROFILE") }}),

    dumped as (
        select
            profile_dump.profile_id as profile_id,
            max({{ filled("profile_dump.saved_thumbnail") }}) as saved_thumbnail,
            max(nullIf(trim(splitByChar(',', ifNull({{ filled("profile_dump.city") }}, ''))[1]), '')) as city,
            max(multiIf(profile_dump.gender = 'M', 'MALE', profile_dump.gender = 'F', 'FEMALE', null)) as gender,
            max({{ filled("profile_dump.public_phone_number") }}) as public_phone,
            max({{ filled("profile_dump.contact_phone_number") }}) as contact_phone,
            max({{ filled("profile_dump.email") }}) as email
        from profile_dump
        where profile_dump.profile_id != ''
        group by profile_id
    ),

    audiences as (select * from every_audience where platform = 'INSTAGRAM'),

    -- Stories count, and weeks without a post do not.
    posting_pace as (
        select assumeNotNull(profile_id) as profile_id, toNullable(avg(posts_of_week)) as avg_posts_per_week
        from
            (
                select
                    posts.profile_id as profile_id,
                    toStartOfWeek(toDate(posts.publish_time)) as week,
                    uniqExact(posts.shortcode) as posts_of_week
                from posts
                where posts.profile_id != '' and posts.shortcode != '' and posts.publish_time is not null
                group by profile_id, week
            )
        group by profile_id
    ),

    -- Growth compares a reading within the span with one before it, but not long before it: an old one would pass off
    -- years as days, and a reading compared with itself would pass off nothing known as no change.
    history as (
        select
            weeks.platform_id as profile_id,
            {% for span, days in growth_spans.items() -%}
                argMaxIf(
                    toNullable(weeks.followers), weeks.date, weeks.date >= {{ this_week }} - interval {{ days }}
                ) as followers_within_{{ span }},
                argMaxIf(
                    toNullable(weeks.followers),
                    weeks.date,
                    weeks.date < {{ this_week }} - interval {{ days }}
                    and weeks.date >= {{ this_week }} - interval {{ days }} - interval {{ slack_days[span] }} day
                ) as followers_before_{{ span }},
            {% endfor -%}
            countIf(weeks.date {{ recent }}) as recent_readings
        from weeks
        where weeks.platform = 'INSTAGRAM' and weeks.date <= {{ this_week }}
        group by profile_id
    ),

    -- Not the sums of `weeks`: these are of weeks in which the followers were read, and most accounts are read less
    -- often.
    recent_posts as (
        select
            owned_posts.profile_id as profile_id,
            toInt64(count()) as uploads,
            sum(ifNull(owned_posts.plays, 0)) as plays,
            {{ order_free_sum("ifNull(owned_posts.reach, 0)") }} as reach,
            {{ order_free_sum("ifNull(owned_posts.impressions, 0)") }} as impressions
        from owned_posts
        where toStartOfWeek(toDate(owned_posts.publish_time)) {{ recent }}
        group by profile_id
    ),

    developments as (
        select
            accounts.ig_id as ig_id,
            {% for span in growth_spans -%}
                history.followers_within_{{ span }} - history.followers_before_{{ span }} as followers_growth{{ span }},
            {% endfor -%}
            {% for counter in ["uploads", "plays", "reach", "impressions"] -%}
                if(
                    recent_posts.uploads = 0 and history.recent_readings = 0, null, recent_posts.{{ counter }}
                ) as {{ counter }}_30d,
            {% endfor -%}
            4 * plays_30d / {{ recent_weeks }} as avg_reels_play_30d
        from accounts
        left join history on history.profile_id = accounts.ig_id
        left join recent_posts on recent_posts.profile_id = accounts.ig_id
    ),

    metrics as (
        select
            accounts.ig_id as ig_id,
            {% for metric, (plain, trimmed) in averages.items() -%}
                {{ typical_average("summaries." ~ plain, "summaries." ~ trimmed, "accounts.media_count") }}
                as {{ metric }},
            {% endfor -%}
            summaries.story_reach as story_reach,
            summaries.avg_reels_impressions as reels_impressions,
            summaries.avg_static_impressions as image_impressions,
            summaries.likes_spread_percentage as likes_spread
        from accounts
        left join summaries on summaries.profile_id = accounts.ig_id
    ),

    attributes as (
        select
            accounts.ig_id as ig_id,
            nullIf(links.channel_id, '') as linked_channel_id,
            coalesce(nullIf(links.category, ''), accounts.primary_category_original) as primary_category,
            if(links.category != '', 'link_social', accounts.category_source) as category_source,
            coalesce(dumped.city, nullIf(guesses.city, '')) as city,
            multiIf(dumped.city is not null, 'vidooly_ia', guesses.city != '', 'gpt', null) as city_source,
            nullIf(guesses.state, '') as state,
            coalesce(dumped.gender, nullIf(guesses.gender, '')) as gender,
            multiIf(dumped.gender is not null, 'vidooly_ia', guesses.gender != '', 'gpt', null) as gender_source,
            coalesce(
                nullIf(pictures.url, ''), concat('{{ var("profile_dump_image_url") }}/', dumped.saved_thumbnail)
            ) as thumbnail,
            coalesce(dumped.public_phone, dumped.contact_phone) as phone,
            dumped.email as email
        from accounts
        left join links on links.profile_id = accounts.ig_id
        left join guesses on guesses.handle = accounts.handle
        left join dumped on dumped.profile_id = accounts.ig_id
        left join pictures on pictures.entity_id = accounts.ig_id
    ),

    final as (
        select
            -- -------- identity
            accounts.ig_id as ig_id,
            accounts.handle as handle,
            accounts.name as name,
            accounts.business_id as business_id,
            accounts.bio as bio,
            attributes.thumbnail as thumbnail,
            attributes.linked_channel_id as linked_channel_id,
            attributes.phone as phone,
            attributes.email as email,
            CAST(accounts.is_private, 'Nullable(Bool)') as is_private,
            accounts.is_verified as is_verified,
            toUInt8(
                accounts.ig_id in (
                    select assumeNotNull(profile_social_id)
                    from collection_posts
                    where platform = 'INSTAGRAM' and profile_social_id is not null
                )
            ) as is_collection_profile,
            {{ search_phrase(["accounts.name", "accounts.handle"]) }} as search_phrase,
            {{ search_words(["accounts.name", "accounts.handle"]) }} as keywords,

            -- -------- attributes
            accounts.account_type as account_type,
            accounts.profile_type as profile_type,
            attributes.primary_category as primary_category,
            attributes.category_source as category_source,
            accounts.primary_category_original as primary_category_original,
            accounts.primary_language as primary_language,
            accounts.language_source as language_source,
            accounts.country as country,
            accounts.country_source as country_source,
            attributes.city as city,
            attributes.city_source as city_source,
            attributes.state as state,
            attributes.gender as gender,
            attributes.gender_source as gender_source,

            -- -------- size
            accounts.followers as followers,
            accounts.following as following,
            {{ followers_per_followed("accounts.followers", "accounts.following") }} as ffratio,
            accounts.media_count as post_count,
            {{ follower_label("accounts.followers") }} as label,
            {{
                peer_group(
                    "INSTA",
                    ["accounts.country", "attributes.primary_category"],
                    "accounts.followers",
                    unknown="MISSING",
                )
            }} as primary_group,
            {{ peer_group("INSTA", ["accounts.country"], "accounts.followers", unknown="MISSING") }} as secondary_group,
            {{ follower_rank(["accounts.country"], "accounts.followers", "accounts.ig_id") }} as country_rank,
            {{
                follower_rank(
                    ["accounts.country", "attributes.primary_category"], "accounts.followers", "accounts.ig_id"
                )
            }} as category_rank,

            -- -------- averages per post
            {% for metric in averages -%} metrics.{{ metric }} as {{ metric }}, {% endfor -%}
            metrics.story_reach as story_reach,
            metrics.reels_impressions as reels_impressions,
            metrics.image_impressions as image_impressions,
            metrics.likes_spread as likes_spread,
            metrics.avg_likes / nullIf(metrics.avg_comments, 0) as likes_to_comment_ratio,
            100 * metrics.avg_comments / nullIf(accounts.followers, 0) as comments_rate,

            -- -------- development
            {% for span in growth_spans -%}
                developments.followers_growth{{ span }} as followers_growth{{ span }},
            {% endfor -%}
            {% for counter in ["uploads", "plays", "reach", "impressions"] -%}
                developments.{{ counter }}_30d as {{ counter }}_30d,
            {% endfor -%}
            developments.plays_30d as views_30d,
            developments.avg_reels_play_30d as avg_reels_play_30d,
            posting_pace.avg_posts_per_week as avg_posts_per_week,

            -- -------- audience
            audiences.reachable_followers_perc as audience_reachability,
            audiences.audience_authenticity as audience_authencity,
            audiences.audience_quality_score as audience_quality,
            nullIf(audiences.audience_quality_grade, '') as audience_quality_grade,

            -- -------- measured on YouTube only
            CAST(null, 'Nullable(Float64)') as shorts_reach,
            CAST(null, 'Nullable(Float64)') as video_reach,

            -- -------- timestamps
            accounts.updated_at as updated_at
        from accounts
        left join attributes on attributes.ig_id = accounts.ig_id
        left join metrics on metrics.ig_id = accounts.ig_id
        left join developments on developments.ig_id = accounts.ig_id
        left join posting_pace on posting_pace.profile_id = accounts.ig_id
        left join audiences on audiences.platform_id = accounts.ig_id
    )

select *
from final
