{% macro collection_post_summary(series, posts, item_clicks, special_collections, collections=none) %}
    {#-
    One row per post of a collection: its latest day, whatever post collections hold without any reading, and for stories of accounts that gave no
    insights an estimate. Staging has no table of collections: the oldest item stands for the beginning of one.
-#}
    with
        series as (select * from {{ series }}),

        posts as (select * from {{ posts }}),

        item_clicks as (select * from {{ item_clicks }}),

        special_collections as (select * from {{ special_collections }}),

        {% if collections -%} collections as (select * from {{ collections }}), {%- endif %}

        owners as ({{ newest_account("profile_id") }}),

        named_accounts as ({{ newest_account("handle") }}),

        -- A post that was added twice counts once, as the newest item has it.
        collected_posts as (
            select *
            from posts
            order by post_collection_item_id desc
            limit 1 by collection_type, platform, collection_id, post_short_code
        ),

        latest_days as (
            select *
            from series
            order by stats_date desc, post_collection_item_id desc
            limit 1 by collection_type, platform, collection_id, post_short_code
        ),

        collection_starts as (
            {% if collections -%}select id as collection_id, created_at as started_at from collections
            {%- else -%}
                select collection_id, min(added_at) as started_at
                from posts
                where collection_type = 'POST'
                group by collection_id
            {%- endif %}
        ),

        known_posts as (
            select
                collected_posts.platform as platform,
                collected_posts.collection_id as collection_id,
                collected_posts.post_short_code as post_short_code,
                collected_posts.collection_type as collection_type,
                collected_posts.post_collection_item_id as post_collection_item_id,

                -- -------- the post, as scraped, else as the product has it
                collected_posts.post_type as post_type,
                collected_posts.post_title as post_title,
                coalesce(collected_posts.item_link, collected_posts.post_link) as post_link,
                coalesce(collected_posts.post_thumbnail, collected_posts.item_thumbnail) as post_thumbnail,
                collected_posts.hashtags as hashtags,
                collected_posts.keywords as keywords,
                coalesce(collected_posts.published_at, collected_posts.added_at) as published_at,

                -- -------- its owner, as scraped; only without one the account of the handle that the product has
                coalesce(collected_posts.profile_id, nullIf(named_accounts.profile_id, '')) as profile_social_id,
                coalesce(
                    latest_days.profile_handle,
                    nullIf(owners.handle, ''),
                    collected_posts.post_handle,
                    if(collected_posts.profile_id is null, collected_posts.posted_by_handle, null)
                ) as profile_handle,
                coalesce(latest_days.profile_name, profile_handle) as profile_name,
                coalesce(latest_days.followers, owners.followers, named_accounts.followers) as followers,

                -- -------- the latest day
                latest_days.views as views,
                latest_days.likes as likes,
                latest_days.comments as comments,
                latest_days.impressions as day_impressions,
                latest_days.saves as saves,
                latest_days.plays as plays,
                latest_days.reach as day_reach,
                latest_days.swipe_ups as swipe_ups,
                latest_days.mentions as mentions,
                latest_days.sticker_taps as sticker_taps,
                latest_days.shares as shares,
                latest_days.story_exits as story_exits,
                latest_days.story_back_taps as story_back_taps,
                latest_days.story_forward_taps as story_forward_taps,
                latest_days.total_engagement as total_engagement,
                nullIf(latest_days.real_reach, 0) as real_reach,
                nullIf(latest_days.real_impressions, 0) as real_impressions,

                -- -------- what a story is estimated from
                collected_posts.platform = 'INSTAGRAM'
                and collected_posts.collection_type = 'POST'
                and ifNull(collected_posts.post_type, '') = 'story' as is_story,
                special_collections.stored_metrics = 1 as has_stored_metrics,
                special_collections.story_impressions = 1
                or ifNull(
                    collection_starts.started_at >= toDateTime('{{ var("story_impressions_from") }}', 'UTC'), 0
                ) as has_story_impressions,
                toFloat64(collected_posts.stored_reach) as stored_reach,
                toFloat64(collected_posts.stored_impressions) as stored_impressions,
                collected_posts.story_followers as story_followers,
                collected_posts.story_engagement + if(
                    ifNull(
                        collected_posts.added_at < toDateTime('{{ var("story_engagement_uplift_from") }}', 'UTC'), 0
                    ),
                    0,
                    2
                ) as story_engagement
            from collected_posts
            left join
                latest_days
                on latest_days.collection_type = collected_posts.collection_type
                and latest_days.platform = collected_posts.platform
                and latest_days.collection_id = collected_posts.collection_id
                and latest_days.post_short_code = collected_posts.post_short_code
            left join
                owners
                on owners.profile_id
                = if(collected_posts.platform = 'INSTAGRAM', ifNull(collected_posts.profile_id, ''), '')
            left join
                named_accounts
                on named_accounts.handle = if(
                    collected_posts.platform = 'INSTAGRAM' and collected_posts.profile_id is null,
                    lower(ifNull(collected_posts.posted_by_handle, '')),
                    ''
                )
            left join collection_starts on collection_starts.collection_id = collected_posts.collection_id
            left join special_collections on special_collections.collection_id = collected_posts.collection_id
            -- Of a profile list only posts that were read are shown; a post collection shows what it was given.
            where collected_posts.collection_type = 'POST' or latest_days.post_short_code != ''
        ),

        final as (
            select
                known_posts.platform as platform,
                known_posts.collection_id as collection_id,
                known_posts.post_short_code as post_short_code,
                known_posts.profile_social_id as profile_social_id,
                known_posts.post_type as post_type,
                known_posts.post_title as post_title,
                known_posts.post_link as post_link,
                known_posts.post_thumbnail as post_thumbnail,
                known_posts.hashtags as hashtags,
                known_posts.keywords as keywords,
                known_posts.post_collection_item_id as post_collection_item_id,
                known_posts.published_at as published_at,
                known_posts.collection_type as collection_type,
                known_posts.profile_handle as profile_handle,
                known_posts.profile_name as profile_name,
                known_posts.followers as followers,
                known_posts.views as views,
                known_posts.likes as likes,
                known_posts.comments as comments,
                multiIf(
                    not known_posts.is_story,
                    known_posts.day_impressions,
                    known_posts.has_stored_metrics,
                    coalesce(known_posts.stored_impressions, known_posts.real_impressions),
                    coalesce(
                        known_posts.real_impressions,
                        if(known_posts.has_story_impressions, {{ story_impressions("reach") }}, null)
                    )
                ) as impressions,
                known_posts.saves as saves,
                known_posts.plays as plays,
                multiIf(
                    not known_posts.is_story,
                    known_posts.day_reach,
                    known_posts.has_stored_metrics,
                    coalesce(known_posts.stored_reach, known_posts.real_reach),
                    coalesce(
                        known_posts.real_reach,
                        {{ story_reach("known_posts.story_followers", "known_posts.story_engagement") }}
                    )
                ) as reach,
                known_posts.swipe_ups as swipe_ups,
                known_posts.mentions as mentions,
                known_posts.sticker_taps as sticker_taps,
                known_posts.shares as shares,
                known_posts.story_exits as story_exits,
                known_posts.story_back_taps as story_back_taps,
                known_posts.story_forward_taps as story_forward_taps,
                {% for total in item_totals() %} item_clicks.{{ total }} as {{ total }}, {% endfor %}
                known_posts.total_engagement as total_engagement,
                {{ collection_engagement_rate("known_posts.total_engagement", "reach") }} as engagement_rate
            from known_posts
            left join item_clicks on item_clicks.post_collection_item_id = known_posts.post_collection_item_id
        )

    select *
    from final

{% endmacro %}
