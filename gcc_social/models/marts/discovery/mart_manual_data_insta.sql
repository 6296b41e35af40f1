{{ config(tags=["hourly"], order_by="Handle") }}

with
    manual_tags as (select * from {{ ref("manual_tags_instagram") }}),

    final as (
        select
            handle as `Handle`,
            category_1_agreed as `C1 Y/N`,
            category_2_agreed as `C2 Y/N`,
            category_3_agreed as `C3 Y/N`,
            category_1 as `Category 1`,
            category_2 as `Category 2`,
            category_3 as `Category 3`,
            additional_category as `Additional Category`,
            language_1 as `Language 1`,
            language_2 as `Language 2`,
            language_3 as `Language 3`,
            arrayMap(
                category -> assumeNotNull(category),
                arrayFilter(
                    category -> ifNull(category, '') != '',
                    [
                        if(category_1_agreed = 'Yes', category_1, null),
                        if(category_2_agreed = 'Yes', category_2, null),
                        if(category_3_agreed = 'Yes', category_3, null),
                        additional_category
                    ]
                )
            ) as categories,
            arrayMap(
                language -> assumeNotNull(language),
                arrayFilter(language -> ifNull(language, '') != '', [language_1, language_2, language_3])
            ) as languages
        from manual_tags
    )

select *
from final
