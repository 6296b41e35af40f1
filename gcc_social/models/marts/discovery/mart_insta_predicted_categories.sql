{{ config(tags=["hourly"], order_by="profile_id") }}

with
    predictions as (select * from {{ source("ds", "categorization_zsl") }}),

    -- Candidates stand in falling order of their score; only a first one above 0.9 counts.
    confident as (
        select
            profile_id,
            if(cat_from_ig_cat[1] .2 > 0.9, cat_from_ig_cat[1] .1, '') as from_instagram_category,
            if(cat_from_bio[1] .2 > 0.9, cat_from_bio[1] .1, '') as from_bio,
            greatest(cat_from_ig_cat[1] .2, cat_from_bio[1] .2) as score
        from predictions
        where profile_id != ''
    ),

    final as (
        select profile_id, if(from_instagram_category != '', from_instagram_category, from_bio) as category
        from confident
        where category != ''
        order by from_instagram_category != '' desc, score desc, category
        limit 1 by profile_id
    )

select *
from final
