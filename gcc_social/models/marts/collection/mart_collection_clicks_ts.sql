{{ config(tags=["collections"], order_by=["collection_id", "stats_date"]) }}

with
    items as (select * from {{ ref("stg_coffee_post_collection_item") }}),

    link_clicks as (select * from {{ source("campaign_replica", "link_clicks") }}),

    -- A post that was added twice counts once, as the newest item has it.
    reported_posts as (
        select
            assumeNotNull(items.platform) as platform,
            assumeNotNull(items.post_collection_id) as collection_id,
            nullIf(items.posted_by_handle, '') as profile_handle,
            assumeNotNull(items.short_code) as post_short_code,
            {{ sponsor_links("items.sponsor_links") }} as links
        from items
        where
            items.enabled = 1
            and items.show_in_report = 1
            and items.platform is not null
            and items.post_collection_id != ''
            and items.short_code != ''
        order by items.id desc
        limit 1 by platform, collection_id, post_short_code
    ),

    post_links as (
        select platform, collection_id, profile_handle, post_short_code, arrayJoin(links) as link from reported_posts
    ),

    daily_clicks as (
        select
            {{ clean_link("link_clicks.url") }} as link,
            link_clicks.d as stats_date,
            toUInt64(greatest(sum(link_clicks.unique_clicks), 0)) as clicks
        from link_clicks
        where
            link in (select link from post_links)
            and link_clicks.d between toDate('2020-01-01') and toDate({{ run_time() }})
        group by link, stats_date
    ),

    post_days as (
        select
            post_links.platform as platform,
            post_links.collection_id as collection_id,
            post_links.profile_handle as profile_handle,
            post_links.post_short_code as post_short_code,
            daily_clicks.stats_date as stats_date,
            sum(daily_clicks.clicks) as clicks
        from post_links
        inner join daily_clicks on daily_clicks.link = post_links.link
        group by platform, collection_id, profile_handle, post_short_code, stats_date
    ),

    -- A link that several posts of a collection share was clicked once.
    collection_links as (select distinct platform, collection_id, link from post_links),

    collection_days as (
        select
            collection_links.platform as platform,
            collection_links.collection_id as collection_id,
            daily_clicks.stats_date as stats_date,
            sum(daily_clicks.clicks) as clicks
        from collection_links
        inner join daily_clicks on daily_clicks.link = collection_links.link
        group by platform, collection_id, stats_date
    ),

    running_totals as (
        select
            platform,
            collection_id,
            stats_date,
            sum(collection_days.clicks) over (
                partition by platform, collection_id
                order by stats_date
                rows between unbounded preceding and current row
            ) as clicks_cumul
        from collection_days
    ),

    final as (
        select
            post_days.platform as platform,
            post_days.collection_id as collection_id,
            'POST' as collection_type,
            post_days.profile_handle as profile_handle,
            post_days.post_short_code as post_short_code,
            post_days.stats_date as stats_date,
            post_days.clicks as clicks,
            running_totals.clicks_cumul as clicks_cumul
        from post_days
        inner join
            running_totals
            on running_totals.platform = post_days.platform
            and running_totals.collection_id = post_days.collection_id
            and running_totals.stats_date = post_days.stats_date
    )

select *
from final
