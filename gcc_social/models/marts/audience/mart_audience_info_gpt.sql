{{ config(tags=["hourly"], order_by=["platform", "platform_id"]) }}

{% set newest_first = "event_timestamp desc, event_id desc" %}

with
    profile_events as (select * from {{ source("_e", "profile_log_events") }}),

    instagram_accounts as (select * from {{ ref("int_instagram_account") }}),

    -- Events of a language model carry the user name in profile_id.
    answers as (
        select profile_id as handle, source, dimensions, event_timestamp, event_id
        from profile_events
        where startsWith(source, '{{ var("gpt_audience_prompt") }}') and profile_id != ''
    ),

    latest_gender_age as (
        select *
        from answers
        where JSONHas(dimensions, 'audience_gender_age')
        order by {{ newest_first }}
        limit 1 by handle
    ),

    latest_cities as (
        select * from answers where JSONHas(dimensions, 'audience_city') order by {{ newest_first }} limit 1 by handle
    ),

    -- Both answers are joined by the name they are about, which one account holds; an answer about a name that no
    -- account has can be attached to nobody.
    account_by_handle as (
        select ig_id, assumeNotNull(handle) as handle from instagram_accounts where handle is not null
    ),

    predicted as (
        select
            'INSTAGRAM' as platform,
            account_by_handle.ig_id as platform_id,
            account_by_handle.handle as platform_handle,
            latest_gender_age.source as prompt,
            {{ predicted_gender_age("latest_gender_age.dimensions") }} as ages,
            {{ json_parts("JSONExtractRaw(latest_cities.dimensions, 'audience_city')", city_name("name")) }}
            as named_cities,
            -- A handful of cities is an answer that the model did not think about.
            if(length(named_cities) >= 5, named_cities, []) as cities,
            CAST([], 'Array(Tuple(Float64, String))') as countries
        from latest_gender_age
        inner join latest_cities on latest_cities.handle = latest_gender_age.handle
        inner join account_by_handle on account_by_handle.handle = latest_gender_age.handle
    ),

    final as ({{ audience_row("predicted", tier="gpt", source="predicted.prompt", age_digits=3) }})

select *
from final
