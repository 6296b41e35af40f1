{{ config(tags=["weekly"], order_by="platform_id") }}

with
    posts as (select * from {{ ref("mart_instagram_post_hashtags") }}),

    used_hashtags as (
        select assumeNotNull(profile_id) as platform_id, arrayJoin(hashtags_l) as hashtag, count() as times
        from posts
        where profile_id is not null
        group by platform_id, hashtag
    ),

    -- Sorted, so the ten most used; equally often used ones by the alphabet.
    top_ten as (
        select platform_id, groupArraySorted(10)((- toInt64(times), hashtag)) as places
        from used_hashtags
        group by platform_id
    ),

    final as (
        select
            'INSTAGRAM' as platform,
            platform_id,
            arrayMap(place -> place .2, places) as hashtags,
            arrayMap(place -> toUInt64(- place .1), places) as hashtags_counts
        from top_ten
    )

select *
from final
