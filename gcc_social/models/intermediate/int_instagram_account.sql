{{
    config(
        tags=["hourly"],
        order_by="ig_id",
        meta={"stale_inputs": ["mart_insta_predicted_lang", "mart_post_location"]},
    )
}}

with
    beat_accounts as (select * from {{ ref("stg_beat_instagram_account") }}),

    directory as (select * from {{ source("vidooly", "social_profiles") }}),

    directory_categories as (select * from {{ source("vidooly", "category") }}),

    vidooly_profiles as (select * from {{ source("vidooly", "instagram_profiles") }}),

    predicted_categories as (select * from {{ ref("mart_insta_predicted_categories") }}),

    guesses as (select * from {{ ref("mart_instagram_gpt_basic_data") }}),

    caption_languages as (select * from {{ once_built(ref("mart_insta_predicted_lang")) }}),

    post_locations as (select * from {{ once_built(ref("mart_post_location")) }}),

    blacklisted as (select * from {{ ref("blacklisted_accounts") }}),

    -- The whole row of the latest scrape: a value per column would mix several rows.
    latest_rows as (
        select *
        from beat_accounts
        where ifNull(profile_id, '') != ''
        order by updated_at desc nulls last, id desc
        limit 1 by profile_id
    ),

    -- A user name belongs to the account that was last seen with it, blacklisted or not.
    holders as (
        select profile_id
        from latest_rows
        where handle != ''
        order by updated_at desc nulls last, profile_id desc
        limit 1 by handle
    ),

    accounts as (
        select * replace (if(profile_id in (select profile_id from holders), handle, null) as handle)
        from latest_rows
        where profile_id not in (select platform_id from blacklisted where platform = 'INSTAGRAM')
    ),

    -- Dumps are joined by account id: user names change hands.
    directory_by_profile as (
        select
            instagram_userid as profile_id,
            if(max({{ filled("country") }}) = 'IN', 'IN', null) as indian,
            max({{ filled("ccatid") }}) as category_id
        from directory
        where instagram_userid != ''
        group by profile_id
    ),

    -- Dumps promise no key: of two labels of one id the last in the alphabet counts, and no account comes twice.
    directory_labels as (
        select toString(id) as category_id, max({{ filled("category") }}) as label
        from directory_categories
        group by category_id
    ),

    directory_category_by_profile as (
        select directory_by_profile.profile_id, directory_labels.label as label
        from directory_by_profile
        inner join directory_labels on directory_labels.category_id = directory_by_profile.category_id
    ),

    vidooly_country_by_profile as (
        select profile_id, max({{ filled("vidooly_profiles.country") }}) as code
        from vidooly_profiles
        where profile_id != ''
        group by profile_id
    ),

    -- More than half of the posts with a place lie in India. A post may have been seen in several places.
    located_in_india as (
        select profile_id, 'IN' as country
        from post_locations
        where ifNull(profile_id, '') != ''
        group by profile_id
        having uniqExactIf(short_code, match(location, '(?i)\\bindia\\W*$')) > 0.5 * uniqExact(short_code)
    ),

    final as (
        select
            -- -------- identity
            assumeNotNull(accounts.profile_id) as ig_id,
            accounts.handle as handle,
            accounts.full_name as name,
            accounts.fbid as business_id,
            accounts.biography as bio,
            accounts.is_private as is_private,
            accounts.is_verified as is_verified,

            -- -------- attributes
            ifNull(nullIf(accounts.account_type, ''), 'CREATOR') as profile_type,
            multiIf(
                accounts.profile_type = 'personal',
                'PERSONAL',
                accounts.profile_type = 'business',
                'BUSINESS',
                accounts.profile_type = 'creator',
                'CREATOR',
                ifNull(accounts.is_business_or_creator, 0) = 1,
                'BUSINESS_OR_CREATOR',
                'UNKNOWN'
            ) as account_type,
            coalesce(
                directory_category_by_profile.label, nullIf(predicted_categories.category, '')
            ) as primary_category_original,
            multiIf(
                directory_category_by_profile.label is not null,
                'vidooly',
                predicted_categories.category != '',
                'predicted',
                null
            ) as category_source,
            coalesce(
                {{ language_code("accounts.language") }},
                nullIf(guesses.language, ''),
                nullIf(caption_languages.lang, ''),
                'en'
            ) as primary_language,
            multiIf(
                {{ language_code("accounts.language") }} is not null,
                'beat',
                guesses.language != '',
                'gpt',
                caption_languages.lang != '',
                'predicted',
                null
            ) as language_source,
            coalesce(
                nullIf(accounts.country, ''),
                directory_by_profile.indian,
                vidooly_country_by_profile.code,
                nullIf(guesses.country, ''),
                nullIf(located_in_india.country, '')
            ) as country,
            multiIf(
                accounts.country != '',
                'beat',
                directory_by_profile.indian is not null,
                'vidooly_sp',
                vidooly_country_by_profile.code is not null,
                'vidooly_ia',
                guesses.country != '',
                'gpt',
                located_in_india.country != '',
                'posts',
                null
            ) as country_source,

            -- -------- numbers
            accounts.followers as followers,
            accounts.following as following,
            if(accounts.media_count < 0, 0, accounts.media_count) as media_count,

            -- -------- timestamps
            accounts.updated_at as updated_at
        from accounts
        left join directory_by_profile on directory_by_profile.profile_id = accounts.profile_id
        left join directory_category_by_profile on directory_category_by_profile.profile_id = accounts.profile_id
        left join vidooly_country_by_profile on vidooly_country_by_profile.profile_id = accounts.profile_id
        left join predicted_categories on predicted_categories.profile_id = accounts.profile_id
        left join guesses on guesses.handle = accounts.handle
        left join caption_languages on caption_languages.profile_id = accounts.profile_id
        left join located_in_india on located_in_india.profile_id = accounts.profile_id
    )

select *
from final
