{{ config(tags=["collections"], order_by=["post_collection_id", "short_code"]) }}

with
    counted_by_hand as (select * from {{ source("ds", "campaign_post_links_clicks") }}),

    final as (
        select
            nullIf(handle, '') as handle,
            assumeNotNull(counted_by_hand.short_code) as short_code,
            nullIf(post_link, '') as post_link,
            toUInt64(greatest(assumeNotNull(counted_by_hand.Clicks), 0)) as Clicks,
            assumeNotNull(counted_by_hand.post_collection_id) as post_collection_id
        from counted_by_hand
        where
            counted_by_hand.short_code != ''
            and counted_by_hand.post_collection_id != ''
            and counted_by_hand.Clicks is not null
        order by Clicks desc, handle desc, post_link desc
        limit 1 by post_collection_id, short_code
    )

select *
from final
