{{ config(tags=["hourly"], order_by=["platform", "platform_id"]) }}

with
    private_audiences as (select * from {{ ref("mart_audience_info_private") }}),

    follower_audiences as (select * from {{ ref("mart_audience_info_follower") }}),

    gpt_audiences as (select * from {{ ref("mart_audience_info_gpt") }}),

    tiers as (
        select *
        from private_audiences
        union all
        select *
        from follower_audiences
        union all
        select *
        from gpt_audiences
    ),

    -- A row without any figure, such as the insights of an account that has too few followers for them, leaves the
    -- account to the next tier. Rows are taken whole: two tiers in one row would contradict each other.
    final as (
        select {{ audience_columns().keys() | join(", ") }}
        from tiers
        where
            notEmpty(age_groups)
            or notEmpty(cities)
            or notEmpty(countries)
            or male_followers_perc is not null
            or coalesce(reachable_followers_perc, breakup_low_followers) is not null
        order by indexOf(['private', 'follower', 'gpt'], tier)
        limit 1 by platform, platform_id
    )

select *
from final
