{{ config(tags=["collections"], order_by=["collection_id", "stats_date"]) }}

with
    series as (select * from {{ ref("mart_collection_post_ts") }}),

    -- A post that was added twice counts once.
    post_days as (
        select *
        from series
        order by post_collection_item_id desc
        limit 1 by collection_type, platform, collection_id, post_short_code, stats_date
    ),

    final as (
        select
            platform,
            collection_id,
            collection_type,
            stats_date,
            uniqExact(post_short_code) as posts,
            sum(post_days.views) as views,
            sum(post_days.likes) as likes,
            sum(post_days.comments) as comments,
            {{ order_free_sum("post_days.impressions") }} as impressions,
            {{ order_free_sum("post_days.reach") }} as reach,
            sum(post_days.total_engagement) as total_engagement
        from post_days
        group by platform, collection_id, collection_type, stats_date
    )

select *
from final
