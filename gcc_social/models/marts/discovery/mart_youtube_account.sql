{{ config(tags=["hourly"], order_by="channelid", contract={"enforced": true}) }}

{#- Columns that readers know and that nothing measures on YouTube. -#}
{%- set unknown = "CAST(null, 'Nullable(Float64)')" %}
{#- How much each rating counts for the quality of a channel. -#}
{%- set weights = {"views_30d": 0.5, "followers_growth30d": 0.25, "uploads_30d": 0.25} %}

with
    ungraded as (select * from {{ ref("int_youtube_account_ungraded") }}),

    group_metrics as (select * from {{ ref("mart_primary_group_metrics") }}),

    -- The peers of a channel are its primary group when that one is large enough to have metrics.
    accounts as (
        select
            *, if(primary_group in (select group_key from group_metrics), primary_group, secondary_group) as group_key
        from ungraded
    ),

    ratings as (
        select
            accounts.channel_id as channel_id,
            {% for metric in weights -%} {{ grade_rating(metric_grade(metric)) }} as {{ metric }}_rating, {% endfor -%}
            -- A channel without any of these grades has no quality, not a poor one.
            if(
                {% for metric in weights %}{{ metric }}_rating = 0{{ " and " if not loop.last }}{% endfor %},
                null,
                {% for metric, weight in weights.items() %}
                    {{ weight }} * {{ metric }}_rating{{ " + " if not loop.last }}
                {% endfor %}
            ) as quality
        from accounts
        left join group_metrics as peers on peers.group_key = accounts.group_key
    ),

    final as (
        select
            accounts.channel_id as channelid,
            accounts.channel_id as channel_id,
            accounts.updated_at as updated_at,
            accounts.username as username,
            accounts.country as country,
            accounts.yt_category as yt_category,
            accounts.linked_instagram_handle as linked_instagram_handle,
            accounts.category as category,
            {{ known_list("accounts.category") }} as categories,
            accounts.description as bio,
            accounts.thumbnail as profile_pic_url,
            accounts.thumbnail as thumbnail,
            accounts.follower_group as follower_group,
            accounts.primary_group as primary_group,
            accounts.secondary_group as secondary_group,
            accounts.avg_video_views as avg_video_views,
            accounts.avg_video_views as avg_views,
            accounts.followers as followers,
            accounts.uploads as uploads,
            accounts.uploads as uploads_count,
            accounts.views as views,
            accounts.views as views_count,
            accounts.title as name,
            accounts.title as title,
            accounts.description as description,
            accounts.profile_type as profile_type,
            accounts.label as label,
            accounts.language as language,
            {{ known_list("accounts.language") }} as languages,
            accounts.followers_growth7d as followers_growth7d,
            accounts.avg_posts_per_week as avg_posts_per_week,
            accounts.views_7d as views_7d,
            accounts.followers_growth30d as followers_growth30d,
            accounts.uploads_30d as uploads_30d,
            accounts.views_30d as views_30d,
            accounts.followers_growth1y as followers_growth1y,
            accounts.views_1y as views_1y,
            toUInt8(0) as is_blacklisted,
            {{ unknown }} as comments,
            accounts.video_reach as video_reach,
            accounts.shorts_reach as shorts_reach,
            {{ unknown }} as authentic_engagement,
            {{ unknown }} as comment_rate_percentage,
            {{ unknown }} as est_reach,
            {{ unknown }} as est_impressions,
            {{ unknown }} as shorts_impressions,
            {{ unknown }} as video_impressions,
            accounts.video_views_last30 as video_views_last30,
            {{ unknown }} as reaction_rate,
            CAST(null, 'Nullable(String)') as dob,
            accounts.gender as gender,
            accounts.keywords as keywords,
            accounts.search_phrase as search_phrase,
            accounts.city as city,
            accounts.state as state,
            accounts.comments_rate as comments_rate,
            accounts.group_key as group_key,
            accounts.avg_comments as avg_comments,
            accounts.likes_spread as likes_spread,
            accounts.followers_growth90d as followers_growth90d,
            accounts.audience_reachability as audience_reachability,
            accounts.audience_quality as audience_quality,
            accounts.likes_to_comment_ratio as likes_to_comment_ratio,
            accounts.post_count as post_count,
            accounts.engagement_rate as engagement_rate,
            accounts.avg_likes as avg_likes,
            accounts.audience_authencity as audience_authencity,
            {{ unknown }} as cpm,
            accounts.email as email,
            accounts.phone as phone,
            accounts.country_rank as country_rank,
            accounts.category_rank as category_rank,
            accounts.reels_reach as reels_reach,
            accounts.story_reach as story_reach,
            accounts.image_reach as image_reach,
            {{ graded_columns("youtube", with_score=true) }}
            CAST(null, 'Nullable(String)') as latest_video_publish_time,
            {{ unknown }} as avg_shorts_views_30d,
            accounts.video_views_last30 as avg_video_views_30d,
            ratings.followers_growth30d_rating as followers_growth30d_rating,
            ratings.views_30d_rating as views_30d_rating,
            ratings.uploads_30d_rating as uploads_30d_rating,
            19 * ratings.quality as channel_quality_score,
            -- round() takes a half to the even neighbour; a quality below one is still Poor.
            if(
                ratings.quality is null,
                null,
                {{ rating_names() }} [toUInt8(greatest(round(assumeNotNull(ratings.quality)), 1))]
            ) as channel_quality_grade,
            accounts.is_collection_profile as is_collection_profile,
            accounts.reels_impressions as reels_impressions,
            accounts.image_impressions as image_impressions
        from accounts
        inner join ratings on ratings.channel_id = accounts.channel_id
        left join group_metrics as peers on peers.group_key = accounts.group_key
    )

select *
from final
