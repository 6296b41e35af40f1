{{ config(tags=["hourly"], order_by="handle") }}

{%- set totals = ["orders", "link_clicks", "views", "likes", "comments", "reach", "impressions"] -%}
{%- set survey_texts = [
    "Name",
    "City",
    "State",
    "Tier",
    "Brands Interested",
    "Brands Purchased From",
    "Categories Interested",
    "Concerns",
    "Ingredients Interested",
    "Price preference",
    "Discount preference",
    "Preferred channel",
    "Preferred day",
    "Preferred hour",
    "Persona",
    "Insta Handle",
] -%}
{%- set survey_lists = ["profiles_i_follow", "my_top_influencers", "my_top_brands", "brand_mentions", "time_slots"] -%}
{%- set account_columns = [
    "country",
    "primary_category",
    "label",
    "gender",
    "primary_language",
    "followers",
    "following",
    "ffratio",
    "avg_views",
    "avg_reach",
    "avg_likes",
    "avg_reels_play_count",
    "engagement_rate",
    "reels_reach",
    "story_reach",
    "image_reach",
    "country_rank",
    "category_rank",
] -%}
{%- set audience_columns = ["audience_city", "audience_country", "audience_gender_age", "audience_locale"] -%}

with
    collection_posts as (select * from {{ ref("mart_collection_post") }}),

    collection_items as (select * from {{ ref("stg_coffee_post_collection_item") }}),

    collections as (select * from {{ ref("stg_coffee_post_collection") }}),

    survey as (select * from {{ source("ds", "trinity_phase_two") }}),

    accounts as (select * from {{ ref("mart_instagram_account") }}),

    social_accounts as (select * from {{ source("identity_replica", "social_account") }}),

    host_profiles as (select * from {{ source("identity_replica", "host_profile") }}),

    insights as (select * from {{ ref("stg_beat_instagram_profile_insights") }}),

    -- A handle is no key in any of the inputs: each gives it one row, the newest where rows have a time.
    creators as (
        select handle, account_id
        from social_accounts
        where platform = 'INSTAGRAM' and account_id > 0 and handle != ''
        order by created_on desc nulls last, account_id desc
        limit 1 by handle
    ),

    creator_profiles as (
        select user_client_account_id, user_categories, webengage_user_id
        from host_profiles
        order by user_categories, webengage_user_id
        limit 1 by user_client_account_id
    ),

    answers as (select * from survey order by all limit 1 by handle),

    discovered as (
        select
            handle,
            {% for column in account_columns %}
                toNullable({{ column }}) as {{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from accounts
        where handle != ''
        order by updated_at desc nulls last, ig_id desc
        limit 1 by handle
    ),

    audiences as (
        select handle, {{ audience_columns | join(", ") }}
        from insights
        where handle != ''
        order by updated_at desc nulls last, id desc
        limit 1 by handle
    ),

    campaign_types as (
        select collection_id, max(link_clicks > 0) as has_clicks, max(orders > 0) as has_orders
        from collection_posts
        where collection_type = 'POST'
        group by collection_id
    ),

    owners as (
        select collection_id, post_short_code, profile_handle
        from collection_posts
        where platform = 'INSTAGRAM' and collection_type = 'POST'
    ),

    -- People type posted_by_handle, and creators change their names: the owner of the item's post comes first.
    costs as (
        select
            collection_items.post_collection_id as collection_id,
            coalesce(nullIf(owners.profile_handle, ''), lower(collection_items.posted_by_handle)) as handle,
            max(collection_items.cost) as cost
        from collection_items
        left join
            owners
            on owners.collection_id = collection_items.post_collection_id
            and owners.post_short_code = collection_items.short_code
        group by collection_id, handle
    ),

    campaign_results as (
        select
            collection_posts.collection_id as collection_id,
            collection_posts.profile_handle as handle,
            uniqExact(post_short_code) as posts,
            {% for column in totals -%}
                -- Reach and impressions are estimates with a fraction; whole numbers add up the same in any order.
                sum(
                    accurateCastOrNull(round(collection_posts.{{ column }}), 'Int64')
                ) as {{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from collection_posts
        inner join collections on collections.id = collection_posts.collection_id
        where
            collection_posts.platform = 'INSTAGRAM'
            -- The number of a profile list can be that of an old post collection.
            and collection_posts.collection_type = 'POST'
            and collections.source = 'GCC_CAMPAIGN'
            and ifNull(collection_posts.profile_handle, '') != ''
        group by collection_id, handle
    ),

    results as (
        select
            campaign_results.handle as handle,
            uniqExact(campaign_results.collection_id) as campaigns,
            uniqExactIf(campaign_results.collection_id, campaign_types.has_clicks = 1) as click_campaigns,
            uniqExactIf(campaign_results.collection_id, campaign_types.has_orders = 1) as order_campaigns,
            sum(campaign_results.posts) as posts,
            {% for column in totals %} sum(campaign_results.{{ column }}) as {{ column }}, {% endfor %}
            toFloat64(sum(costs.cost)) as total_cost
        from campaign_results
        left join campaign_types on campaign_types.collection_id = campaign_results.collection_id
        left join
            costs on costs.collection_id = campaign_results.collection_id and costs.handle = campaign_results.handle
        group by handle
    ),

    final as (
        select
            assumeNotNull(creators.handle) as handle,

            -- -------- campaign results; no campaign: 0 campaigns, everything else unknown
            results.campaigns as campaigns,
            results.click_campaigns as click_campaigns,
            results.order_campaigns as order_campaigns,
            results.posts as posts,
            results.orders as orders,
            results.link_clicks as clicks,
            results.views as views,
            results.likes as likes,
            results.comments as comments,
            results.reach as reach,
            results.likes + results.comments as total_engagement,
            results.impressions as impressions,
            results.total_cost as total_cost,
            results.link_clicks / nullIf(results.orders, 0) as cto,
            round(results.link_clicks / nullIf(results.reach, 0), 6) as ctr,
            results.total_cost / nullIf(results.views, 0) as cpv,
            results.total_cost / nullIf(results.link_clicks, 0) as cpc,
            results.total_cost / nullIf(results.orders, 0) as cpo,
            results.total_cost / nullIf(results.reach, 0) as cpr,
            1000 * results.total_cost / nullIf(results.impressions, 0) as cpm,
            results.total_cost / nullIf(results.likes + results.comments, 0) as cpe,

            -- -------- survey
            {% for column in survey_texts -%}
                answers.`g3.{{ column }}` as g3_{{ column | replace(" ", "_") }},
            {% endfor -%}
            {% for column in survey_lists -%} answers.{{ column }} as {{ column }}, {% endfor -%}
            answers.age as age,

            -- -------- discovery
            {% for column in account_columns -%} discovered.{{ column }} as {{ column }}, {% endfor -%}

            -- -------- registration
            arrayFilter(
                name -> name != '',
                arrayMap(
                    category -> JSONExtractString(category, 'name'),
                    JSONExtractArrayRaw(ifNull(creator_profiles.user_categories, ''))
                )
            ) as user_categories,
            assumeNotNull(creators.account_id) as account_id,
            creator_profiles.webengage_user_id as webengage_user_id,

            -- -------- audience
            {% for column in audience_columns -%}
                audiences.{{ column }} as {{ column }}{{ "," if not loop.last }}
            {% endfor %}
        from creators
        left join results on results.handle = creators.handle
        left join answers on answers.handle = creators.handle
        left join discovered on discovered.handle = creators.handle
        left join creator_profiles on creator_profiles.user_client_account_id = creators.account_id
        left join audiences on audiences.handle = creators.handle
    )

select *
from final
