{{ config(tags=["hourly"], order_by="ig_id", contract={"enforced": true}) }}

with
    ungraded as (select * from {{ ref("int_instagram_account_ungraded") }}),

    group_metrics as (select * from {{ ref("mart_primary_group_metrics") }}),

    -- The peers of an account are its primary group when that one is large enough to have metrics.
    accounts as (
        select
            *, if(primary_group in (select group_key from group_metrics), primary_group, secondary_group) as group_key
        from ungraded
    ),

    final as (
        select
            accounts.name as name,
            accounts.handle as handle,
            accounts.business_id as business_id,
            accounts.updated_at as updated_at,
            accounts.ig_id as ig_id,
            accounts.thumbnail as thumbnail,
            accounts.account_type as account_type,
            accounts.keywords as keywords,
            accounts.bio as bio,
            {{ known_list("accounts.primary_category") }} as categories,
            accounts.linked_channel_id as linked_channel_id,
            CAST(null, 'Nullable(String)') as dob,
            accounts.city as city,
            accounts.city_source as city_source,
            accounts.state as state,
            accounts.label as label,
            accounts.gender as gender,
            accounts.gender_source as gender_source,
            toUInt8(0) as is_blacklisted,
            {{ known_list("accounts.primary_language") }} as languages,
            accounts.primary_language as primary_language,
            accounts.language_source as language_source,
            accounts.primary_category as primary_category,
            accounts.category_source as category_source,
            accounts.primary_category_original as primary_category_original,
            accounts.country as country,
            accounts.country_source as country_source,
            accounts.followers as followers,
            accounts.following as following,
            accounts.profile_type as profile_type,
            accounts.ffratio as ffratio,
            accounts.followers_growth7d as followers_growth7d,
            accounts.followers_growth30d as followers_growth30d,
            accounts.followers_growth90d as followers_growth90d,
            accounts.followers_growth1y as followers_growth1y,
            accounts.avg_reels_play_30d as avg_reels_play_30d,
            accounts.audience_reachability as audience_reachability,
            accounts.audience_authencity as audience_authencity,
            accounts.audience_quality as audience_quality,
            accounts.audience_quality_grade as audience_quality_grade,
            accounts.likes_spread as likes_spread,
            accounts.avg_posts_per_week as avg_posts_per_week,
            accounts.likes_spread as likes_spread_percentage,
            accounts.post_count as post_count,
            accounts.avg_reels_play_count as avg_views,
            accounts.avg_reach as avg_reach,
            accounts.avg_likes as avg_likes,
            accounts.likes_to_comment_ratio as likes_to_comment_ratio,
            accounts.avg_reels_play_count as avg_reels_play_count,
            accounts.engagement_rate as engagement_rate,
            accounts.comments_rate as comments_rate,
            round(accounts.comments_rate) as comment_rate_percentage,
            accounts.reels_reach as reels_reach,
            accounts.story_reach as story_reach,
            accounts.image_reach as image_reach,
            {{ metric_grade("engagement_rate") }} as er_grade,
            accounts.image_impressions as image_impressions,
            accounts.reels_impressions as reels_impressions,
            accounts.is_verified as is_verified,
            accounts.is_private as is_private,
            accounts.avg_posts_per_week as post_frequency_week,
            CAST(null, 'Nullable(Float64)') as authentic_engagement,
            accounts.avg_comments as avg_comments,
            accounts.country_rank as country_rank,
            accounts.category_rank as category_rank,
            accounts.primary_group as primary_group,
            accounts.secondary_group as secondary_group,
            accounts.phone as phone,
            accounts.email as email,
            accounts.search_phrase as search_phrase,
            accounts.shorts_reach as shorts_reach,
            accounts.video_reach as video_reach,
            accounts.uploads_30d as uploads_30d,
            accounts.plays_30d as plays_30d,
            accounts.reach_30d as reach_30d,
            accounts.impressions_30d as impressions_30d,
            accounts.views_30d as views_30d,
            {{ graded_columns("instagram") }}
            accounts.group_key as group_key,
            accounts.is_collection_profile as is_collection_profile
        from accounts
        left join group_metrics as peers on peers.group_key = accounts.group_key
    )

select *
from final
