{% macro collection_posts(items, list_members, lists=none, instagram_ids=none, youtube_ids=none) %}
    {#-
    Which post is in which collection, with what is known of the post. Production takes the members of the account tracker's lists and knows them
    by the product's account ids; staging has neither table, its lists are the members outside a shortlist.
-#}
    with
        items as (select * from {{ items }}),

        list_members as (select * from {{ list_members }}),

        {% if lists -%}
            lists as (select * from {{ lists }}),

            instagram_ids as (select * from {{ instagram_ids }}),

            youtube_ids as (select * from {{ youtube_ids }}),
        {%- endif %}

        instagram_posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

        youtube_posts as (select * from {{ merged(ref("stg_beat_youtube_post")) }}),

        assets as (select * from {{ merged(ref("stg_beat_asset_log")) }}),

        collected_items as (
            select *
            from items
            where enabled = 1 and ifNull(short_code, '') != '' and ifNull(post_collection_id, '') != ''
        ),

        listed_profiles as (
            {% if lists -%}
                select distinct
                    assumeNotNull(list_members.platform) as platform,
                    toString(assumeNotNull(list_members.profile_collection_id)) as collection_id,
                    coalesce(
                        nullIf(if(list_members.platform = 'YOUTUBE', youtube_ids.channel_id, instagram_ids.ig_id), ''),
                        nullIf(list_members.profile_social_id, '')
                    ) as listed_profile_id
                from list_members
                inner join lists on lists.id = list_members.profile_collection_id
                left join instagram_ids on instagram_ids.id = list_members.platform_account_code
                left join youtube_ids on youtube_ids.id = list_members.platform_account_code
                where
                    lists.source = 'SAAS-AT'
                    and list_members.platform is not null
                    and list_members.enabled = 1
                    and ifNull(list_members.hidden, 0) = 0
                    and listed_profile_id is not null
            {%- else -%}
                select distinct
                    assumeNotNull(list_members.platform) as platform,
                    toString(assumeNotNull(list_members.profile_collection_id)) as collection_id,
                    nullIf(list_members.profile_social_id, '') as listed_profile_id
                from list_members
                where
                    list_members.platform is not null
                    and list_members.profile_collection_id is not null
                    and list_members.shortlist_id is null
                    and listed_profile_id is not null
            {%- endif %}
        ),

        collected_codes as (
            select platform, short_code
            from collected_items
            union distinct
            select 'INSTAGRAM', shortcode
            from instagram_posts
            where profile_id in (select listed_profile_id from listed_profiles where platform = 'INSTAGRAM')
            union distinct
            select 'YOUTUBE', shortcode
            from youtube_posts
            where channel_id in (select listed_profile_id from listed_profiles where platform = 'YOUTUBE')
        ),

        pictures as ({{ stored_pictures("POST", among="collected_codes") }}),

        attributes as (
            {{ instagram_post_attributes() }}
            union all
            {{ youtube_post_attributes() }}
        ),

        memberships as (
            select
                'POST' as collection_type,
                assumeNotNull(post_collection_id) as collection_id,
                assumeNotNull(platform) as platform,
                assumeNotNull(short_code) as post_short_code,
                id as post_collection_item_id,
                nullIf(post_type, '') as item_post_type,
                nullIf(post_link, '') as item_link,
                nullIf(post_thumbnail, '') as item_thumbnail,
                nullIf(posted_by_handle, '') as posted_by_handle,
                created_at as added_at
            from collected_items
            where platform is not null
            union all
            select
                'PROFILE',
                listed_profiles.collection_id,
                attributes.platform,
                attributes.post_short_code,
                0,
                null,
                null,
                null,
                null,
                null
            from listed_profiles
            inner join
                attributes
                on attributes.platform = listed_profiles.platform
                and attributes.profile_id = listed_profiles.listed_profile_id
            where
                attributes.published_at is null
                or attributes.published_at >= {{ run_time() }} - interval {{ var("profile_collection_days") }} day
        ),

        final as (
            select
                memberships.collection_type as collection_type,
                memberships.collection_id as collection_id,
                memberships.platform as platform,
                memberships.post_short_code as post_short_code,
                memberships.post_collection_item_id as post_collection_item_id,

                -- -------- the post
                coalesce(
                    attributes.post_type,
                    memberships.item_post_type,
                    if(memberships.platform = 'YOUTUBE', 'video', null)
                ) as post_type,
                attributes.post_title as post_title,
                concat(
                    if(
                        memberships.platform = 'YOUTUBE', 'https://www.youtube.com/watch?v=', 'https://instagram.com/p/'
                    ),
                    memberships.post_short_code
                ) as post_link,
                attributes.post_thumbnail as post_thumbnail,
                {{ hashtags_in("attributes.described") }} as hashtags,
                {{ keywords_in("attributes.described") }} as keywords,
                attributes.published_at as published_at,
                attributes.profile_id as profile_id,
                attributes.post_handle as post_handle,

                -- -------- what the scraper stored with a story
                attributes.stored_reach as stored_reach,
                attributes.stored_impressions as stored_impressions,
                attributes.story_followers as story_followers,
                attributes.story_engagement as story_engagement,

                -- -------- what the product says
                memberships.item_link as item_link,
                memberships.item_thumbnail as item_thumbnail,
                memberships.posted_by_handle as posted_by_handle,
                memberships.added_at as added_at
            from memberships
            left join
                attributes
                on attributes.platform = memberships.platform
                and attributes.post_short_code = memberships.post_short_code
        )

    select *
    from final

{% endmacro %}
