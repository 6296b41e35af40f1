{{ config(tags=["hourly"], order_by=["platform", "platform_id"]) }}

with
    relationships as (select * from {{ merged(ref("stg_beat_profile_relationship_log")) }}),

    chosen_profiles as (select * from {{ ref("audience_sample_profiles") }}),

    instagram_accounts as (select * from {{ ref("int_instagram_account") }}),

    predictions as (select * from {{ source("ds", "instagram_prediction") }}),

    youtube_accounts as (select * from {{ ref("int_youtube_account") }}),

    directory as (select * from {{ source("vidooly", "social_profiles") }}),

    -- -------- Instagram: a sample of the followers, by their ids, since user names change hands. The log describes
    -- the follower where it read the followers of the target; where it read whom the source follows it does not, and
    -- such rows are no sample of anybody's followers.
    sample as (
        select assumeNotNull(target_profile_id) as profile_id, assumeNotNull(source_profile_id) as follower_id
        from relationships
        where
            platform = 'INSTAGRAM'
            and relationship_type = 'FOLLOWS'
            and target_profile_id != ''
            and source_profile_id != ''
            and JSONHas(ifNull(source_dimensions, ''), 'handle')
            and (
                target_profile_id in (select profile_id from chosen_profiles)
                or (select count() from chosen_profiles) = 0
            )
        group by profile_id, follower_id
    ),

    predicted_people as (
        select
            toString(predictions.profile_id) as profile_id,
            {{ predicted_gender("gender_from_img_model", "gender_male", "gender_female") }} as gender,
            concat(gender, '_', {{ age_band("predictions.age") }}) as age_group,
            {{ city_name("ifNull(predictions.top_cities, '')") }} as city,
            trim(ifNull(predictions.country, '')) as country
        from predictions
        order by gender, age_group, city, country
        limit 1 by profile_id
    ),

    sampled_followers as (
        select
            sample.profile_id as profile_id,
            sample.follower_id as follower_id,
            instagram_accounts.followers as followers,
            instagram_accounts.following as following,
            -- Few followers for the many it follows.
            {{ followers_per_followed("instagram_accounts.followers", "instagram_accounts.following") }}
            < 0.1 as looks_fake,
            ifNull(predicted_people.gender, '') as gender,
            ifNull(predicted_people.age_group, '') as age_group,
            predicted_people.city as city,
            predicted_people.country as country
        from sample
        inner join instagram_accounts on instagram_accounts.ig_id = sample.follower_id
        left join predicted_people on predicted_people.profile_id = sample.follower_id
    ),

    -- avg() leaves out followers whose number is unknown.
    samples as (
        select
            profile_id,
            avg(looks_fake) as fake,
            avg(followers < 10) as low_followers,
            avg(following > 5000) as high_following,
            avg(following < 1500) as reachable,
            countIf(gender = 'M') as men,
            countIf(gender = 'F') as women,
            arrayReverseSort(groupArrayIf((followers, follower_id), followers > 100000)) as notable,
            sumMapIf([age_group], [toFloat64(1)], age_group != '') as by_age,
            sumMapIf([city], [toFloat64(1)], city != '') as by_city,
            sumMapIf([country], [toFloat64(1)], country != '') as by_country
        from sampled_followers
        group by profile_id
        having count() >= {{ var("audience_sample_minimum") }}
    ),

    sampled_accounts as (
        select
            'INSTAGRAM' as platform,
            samples.profile_id as platform_id,
            instagram_accounts.handle as platform_handle,
            {{ largest_first("samples.by_age") }} as ages,
            {{ largest_first("samples.by_city") }} as cities,
            {{ largest_first("samples.by_country") }} as countries,
            samples.reachable as reachable,
            samples.fake as fake,
            samples.low_followers as low_followers,
            samples.high_following as high_following,
            samples.men as men,
            samples.women as women,
            samples.notable as notable,
            100 * (1 - fake) as authenticity,
            100 * (1 - 0.25 * low_followers - 0.25 * high_following - 0.5 * fake) as quality
        from samples
        left join instagram_accounts on instagram_accounts.ig_id = samples.profile_id
    ),

    -- -------- YouTube: what the directory says, of the fullest of a channel's entries
    directory_entries as (
        select
            youtube_userid as channel_id,
            {{ directory_gender_age() }} as ages,
            {{ total_of_parts("ages") }} as total,
            youtube_demographic_m_all as men,
            youtube_demographic_f_all as women
        from directory
        where youtube_userid != '' and (total > 0 or men > 0 or women > 0)
        order by total > 0 desc, instagram_userid desc, ages desc, men desc, women desc
        limit 1 by channel_id
    ),

    listed_channels as (
        select
            'YOUTUBE' as platform,
            youtube_accounts.channel_id as platform_id,
            youtube_accounts.channel_id as platform_handle,
            directory_entries.ages as ages,
            directory_entries.men as men,
            directory_entries.women as women,
            CAST([], 'Array(Tuple(Float64, String))') as cities,
            CAST([], 'Array(Tuple(Float64, String))') as countries
        from youtube_accounts
        inner join directory_entries on directory_entries.channel_id = youtube_accounts.channel_id
        where youtube_accounts.country = 'IN'
    ),

    final as (
        {{
            audience_row(
                "sampled_accounts",
                tier="follower",
                source="'follower_sample'",
                given={
                    "reachable_followers_perc": "round(100 * reachable, 2)",
                    "audience_authenticity": "round(authenticity, 2)",
                    "breakup_low_followers": "round(100 * low_followers, 2)",
                    "breakup_high_following": "round(100 * high_following, 2)",
                    "breakup_audience_authenticity": "round(authenticity, 2)",
                    "breakup_audience_authenticity_grade": audience_grade("round(authenticity, 2)"),
                    "breakup_high_following_grade": audience_grade("100 - round(100 * high_following, 2)"),
                    "breakup_low_followers_grade": audience_grade("100 - round(100 * low_followers, 2)"),
                    "audience_quality_score": "quality",
                    "audience_quality_grade": audience_grade("round(quality, 2)"),
                    "male_followers_perc": "round(100 * men / nullIf(men + women, 0), 2)",
                    "female_followers_perc": "round(100 * women / nullIf(men + women, 0), 2)",
                    "notable_followers": "arrayMap(follower -> follower.2, notable)",
                },
            )
        }}
        union all
        {{
            audience_row(
                "listed_channels",
                tier="follower",
                source="'directory'",
                given={
                    "male_followers_perc": (
                        "coalesce(round(100 * men / nullIf(men + women, 0), 2), "
                        ~ share_of_labels("listed_channels.ages", "M_")
                        ~ ")"
                    ),
                    "female_followers_perc": (
                        "coalesce(round(100 * women / nullIf(men + women, 0), 2), "
                        ~ share_of_labels("listed_channels.ages", "F_")
                        ~ ")"
                    ),
                },
            )
        }}
    )

select *
from final
