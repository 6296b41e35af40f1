{{ config(tags=["weekly"], order_by=["profile_id", "phone"]) }}

with
    accounts as (select * from {{ ref("int_instagram_account") }}),

    events as (select * from {{ source("_e", "profile_log_events") }}),

    bio_phones as (
        select
            ig_id as profile_id,
            handle,
            -- Ten digits that are no part of a longer number; greedy, so the last of several.
            extract(ifNull(bio, ''), '(?s).*\\b([1-9][0-9]{9})\\b') as phone
        from accounts
        where phone != ''
    ),

    observations as (
        select
            profile_id,
            handle,
            event_timestamp,
            event_id,
            replaceRegexpAll(JSONExtractString(dimensions, 'contact_phone'), '[^+0-9]', '') as digits,
            -- Indian mobile numbers as in biographies, without country code or trunk zero; others as they are.
            replaceRegexpOne(digits, '^(?:\\+?91|0091|0)?([6-9][0-9]{9})$', '\\1') as phone
        from events
        where
            platform = 'INSTAGRAM'
            and profile_id != ''
            and not startsWith(source, 'openapi_')
            and position(dimensions, '"contact_phone"') > 0
    ),

    contact_phones as (
        select
            profile_id,
            nullIf({{ latest("observations.handle", "observations.handle != ''") }}, '') as handle,
            {{ latest("observations.phone") }} as phone
        from observations
        where match(observations.phone, '[0-9]')
        group by profile_id
    ),

    found as (
        select profile_id, handle, phone, 1 as from_account
        from bio_phones
        union all
        select profile_id, handle, phone, 0
        from contact_phones
    ),

    final as (select profile_id, handle, phone from found order by from_account desc limit 1 by profile_id, phone)

select *
from final
