{{ config(tags=["hourly"], order_by="channel_id") }}

with
    beat_channels as (select * from {{ ref("stg_beat_youtube_account") }}),

    channel_snapshots as (select * from {{ source("vidooly", "youtube_channels") }}),

    directory as (select * from {{ source("vidooly", "social_profiles") }}),

    directory_categories as (select * from {{ source("vidooly", "category") }}),

    youtube_categories as (select * from {{ source("vidooly", "youtube_category") }}),

    category_names as (select * from {{ ref("youtube_category_names") }}),

    audio_languages as (select * from {{ ref("mart_youtube_account_language") }}),

    manual_tags as (select * from {{ ref("mart_manual_data_yt") }}),

    blacklisted as (select * from {{ ref("blacklisted_accounts") }}),

    latest_scrapes as (
        select *
        from beat_channels
        where ifNull(channel_id, '') != ''
        order by updated_at desc nulls last, id desc
        limit 1 by channel_id
    ),

    latest_snapshots as (
        select *, parseDateTime64BestEffortOrNull(last_updated_at, 6, 'UTC') as seen_at
        from channel_snapshots
        where id != ''
        order by seen_at desc nulls last, _path desc
        limit 1 by id
    ),

    both_feeds as (
        select
            assumeNotNull(channel_id) as channel_id,
            tuple(ifNull(toDateTime64(updated_at, 6, 'UTC'), toDateTime64(0, 6, 'UTC')), 1) as newest,
            nullIf(custom_url, '') as username,
            nullIf(title, '') as title,
            nullIf(description, '') as description,
            nullIf(thumbnail, '') as thumbnail,
            if(country = 'India', 'IN', nullIf(country, '')) as country,
            subscribers as followers,
            uploads,
            views
        from latest_scrapes
        union all
        select
            id,
            tuple(ifNull(seen_at, toDateTime64(0, 6, 'UTC')), 0),
            nullIf(custom_url, ''),
            nullIf(title, ''),
            nullIf(description, ''),
            nullIf(thumbnail, ''),
            nullIf(country, ''),
            toInt64OrNull(subscriber_count),
            toInt64OrNull(video_count),
            toInt64OrNull(view_count)
        from latest_snapshots
    ),

    -- One row per feed went in, so argMax fills what the newer feed does not know from the older one.
    channels as (
        select
            channel_id,
            argMax(username, newest) as username,
            argMax(title, newest) as title,
            argMax(description, newest) as description,
            argMax(thumbnail, newest) as thumbnail,
            argMax(country, newest) as country,
            argMax(followers, newest) as followers,
            argMax(uploads, newest) as uploads,
            argMax(views, newest) as views,
            nullIf(max(newest .1), toDateTime64(0, 6, 'UTC')) as updated_at
        from both_feeds
        where channel_id not in (select platform_id from blacklisted where platform = 'YOUTUBE')
        group by channel_id
    ),

    -- The directory repeats a channel for each Instagram profile it is linked to.
    directory_by_channel as (
        select
            youtube_userid as channel_id,
            max({{ filled("ccatid") }}) as category_id,
            max({{ filled("youtube_category") }}) as youtube_category_id,
            max({{ language_code(filled("language")) }}) as language
        from directory
        where youtube_userid != ''
        group by channel_id
    ),

    -- Dumps promise no key: of two labels of one id the last in the alphabet counts, and no channel comes twice.
    directory_labels as (
        select toString(id) as category_id, max({{ filled("category") }}) as label
        from directory_categories
        group by category_id
    ),

    youtube_labels as (
        select toString(id) as category_id, max({{ filled("category") }}) as label
        from youtube_categories
        group by category_id
    ),

    categories_by_channel as (
        select
            directory_by_channel.channel_id as channel_id,
            directory_labels.label as directory_category,
            nullIf(category_names.category, '') as yt_category
        from directory_by_channel
        left join directory_labels on directory_labels.category_id = directory_by_channel.category_id
        left join youtube_labels on youtube_labels.category_id = directory_by_channel.youtube_category_id
        left join category_names on category_names.youtube_category = youtube_labels.label
    ),

    final as (
        select
            -- -------- identity
            channels.channel_id as channel_id,
            channels.username as username,
            channels.title as title,
            channels.description as description,
            channels.thumbnail as thumbnail,

            -- -------- attributes
            coalesce(nullIf(latest_scrapes.tagged_country, ''), channels.country) as country,
            categories_by_channel.yt_category as yt_category,
            coalesce(
                manual_tags.category, categories_by_channel.directory_category, categories_by_channel.yt_category
            ) as category,
            coalesce(
                {{ language_code("latest_scrapes.language") }},
                manual_tags.language,
                nullIf(audio_languages.language, ''),
                directory_by_channel.language
            ) as language,
            coalesce(nullIf(latest_scrapes.account_type, ''), manual_tags.profile_type, 'CREATOR') as profile_type,

            -- -------- numbers
            channels.followers as followers,
            if(channels.uploads < 0, 0, channels.uploads) as uploads,
            if(channels.views < 0, 0, channels.views) as views,

            -- -------- timestamps
            channels.updated_at as updated_at
        from channels
        left join latest_scrapes on latest_scrapes.channel_id = channels.channel_id
        left join directory_by_channel on directory_by_channel.channel_id = channels.channel_id
        left join categories_by_channel on categories_by_channel.channel_id = channels.channel_id
        left join audio_languages on audio_languages.channel_id = channels.channel_id
        left join manual_tags on manual_tags.channel_id = channels.channel_id
    )

select *
from final
