{{ config(tags=["hourly"], order_by=["channel_id", "profile_id"]) }}

with
    directory as (select * from {{ source("vidooly", "social_profiles") }}),

    instagram_accounts as (select * from {{ ref("int_instagram_account") }}),

    youtube_accounts as (select * from {{ ref("int_youtube_account") }}),

    listed_pairs as (
        select distinct youtube_userid as channel_id, instagram_userid as profile_id
        from directory
        where youtube_userid != '' and instagram_userid != ''
    ),

    pairs as (
        select
            listed_pairs.channel_id as channel_id,
            listed_pairs.profile_id as profile_id,
            assumeNotNull(instagram_accounts.handle) as handle,
            youtube_accounts.category as ya_category,
            instagram_accounts.primary_category_original as ia_category,
            youtube_accounts.followers as ya_followers,
            instagram_accounts.followers as ia_followers
        from listed_pairs
        inner join instagram_accounts on instagram_accounts.ig_id = listed_pairs.profile_id
        inner join youtube_accounts on youtube_accounts.channel_id = listed_pairs.channel_id
        where
            instagram_accounts.handle is not null
            and instagram_accounts.country = 'IN'
            and youtube_accounts.country = 'IN'
            and instagram_accounts.followers > 0
            and youtube_accounts.followers > 0
    ),

    one_channel_per_profile as (select * from pairs order by ya_followers desc, channel_id desc limit 1 by profile_id),

    one_to_one as (
        select * from one_channel_per_profile order by ia_followers desc, profile_id desc limit 1 by channel_id
    ),

    final as (
        select
            channel_id,
            profile_id,
            handle,
            ya_category,
            ia_category,
            coalesce(ya_category, ia_category) as ia_category_final,
            coalesce(ya_category, ia_category) as category,
            ya_followers,
            ia_followers,
            ya_followers + ia_followers as total_followers
        from one_to_one
    )

select *
from final
