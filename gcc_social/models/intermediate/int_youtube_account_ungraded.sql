{{
    config(
        tags=["hourly"],
        order_by="channel_id",
        meta={"stale_inputs": ["mart_yt_growth"]},
    )
}}

{#- Columns of the account that no source measures on YouTube. -#}
{%- set unmeasured = [
    "avg_likes",
    "avg_comments",
    "comments_rate",
    "engagement_rate",
    "likes_to_comment_ratio",
    "likes_spread",
    "followers_growth90d",
    "audience_reachability",
    "audience_authencity",
    "audience_quality",
    "shorts_reach",
    "reels_reach",
    "image_reach",
    "story_reach",
    "reels_impressions",
    "image_impressions",
] %}

with
    channels as (select * from {{ ref("int_youtube_account") }}),

    links as (select * from {{ ref("mart_linked_socials") }}),

    collection_posts as (select * from {{ ref("mart_collection_post") }}),

    growth as (select * from {{ once_built(ref("mart_yt_growth")) }}),

    manual_tags as (select * from {{ ref("mart_manual_data_yt") }}),

    directory as (select * from {{ source("vidooly", "social_profiles") }}),

    -- The directory repeats a channel for each Instagram profile it is linked to.
    contacts as (
        select
            youtube_userid as channel_id,
            max({{ filled("contacts_email") }}) as email,
            max({{ filled("contacts_phone") }}) as phone
        from directory
        where youtube_userid != ''
        group by channel_id
    ),

    -- A channel without a row here has unknown growth, not 0.
    developments as (
        select
            channelid as channel_id,
            {% for change in [
                "follower_7d",
                "follower_30d",
                "follower_1y",
                "uploads_7d",
                "uploads_30d",
                "views_7d",
                "views_30d",
                "views_1y",
            ] -%}
                toNullable({{ change }}) as {{ change }}{{ "," if not loop.last }}
            {% endfor %}
        from growth
    ),

    final as (
        select
            -- -------- identity
            channels.channel_id as channel_id,
            channels.username as username,
            channels.title as title,
            channels.description as description,
            replaceOne(channels.thumbnail, '=s88-c', '=s512-c') as thumbnail,
            nullIf(links.handle, '') as linked_instagram_handle,
            coalesce(contacts.email, manual_tags.email) as email,
            contacts.phone as phone,
            toUInt8(
                channels.channel_id in (
                    select assumeNotNull(profile_social_id)
                    from collection_posts
                    where platform = 'YOUTUBE' and profile_social_id is not null
                )
            ) as is_collection_profile,
            {{ search_phrase(["channels.title", "channels.username", "channels.channel_id"]) }} as search_phrase,
            {{ search_words(["channels.title", "channels.username"]) }} as keywords,

            -- -------- attributes
            channels.profile_type as profile_type,
            channels.yt_category as yt_category,
            channels.category as category,
            channels.language as language,
            channels.country as country,
            manual_tags.city as city,
            manual_tags.state as state,
            manual_tags.gender as gender,

            -- -------- size
            channels.followers as followers,
            channels.uploads as uploads,
            channels.uploads as post_count,
            channels.views as views,
            {{ follower_group("channels.followers") }} as follower_group,
            {{ follower_label("channels.followers") }} as label,
            {{ peer_group("YT", ["channels.country", "channels.category"], "channels.followers") }} as primary_group,
            {{ peer_group("YT", ["channels.country"], "channels.followers") }} as secondary_group,
            {{ follower_rank(["channels.country"], "channels.followers", "channels.channel_id") }} as country_rank,
            {{ follower_rank(["channels.country", "channels.category"], "channels.followers", "channels.channel_id") }}
            as category_rank,

            -- -------- averages per video
            if(channels.uploads = 0, 0, channels.views / channels.uploads) as avg_video_views,
            round(avg_video_views) as video_reach,

            -- -------- development
            developments.follower_7d as followers_growth7d,
            developments.follower_30d as followers_growth30d,
            developments.follower_1y as followers_growth1y,
            if(developments.uploads_7d < 0, 0, developments.uploads_7d) as avg_posts_per_week,
            if(developments.uploads_30d < 0, 0, developments.uploads_30d) as uploads_30d,
            if(developments.views_7d < 0, 0, developments.views_7d) as views_7d,
            if(developments.views_30d < 0, 0, developments.views_30d) as views_30d,
            developments.views_30d as video_views_last30,
            developments.views_1y as views_1y,

            -- -------- not measured on YouTube
            {% for metric in unmeasured -%} CAST(null, 'Nullable(Float64)') as {{ metric }}, {% endfor %}

            -- -------- timestamps
            channels.updated_at as updated_at
        from channels
        left join links on links.channel_id = channels.channel_id
        left join contacts on contacts.channel_id = channels.channel_id
        left join developments on developments.channel_id = channels.channel_id
        left join manual_tags on manual_tags.channel_id = channels.channel_id
    )

select *
from final
