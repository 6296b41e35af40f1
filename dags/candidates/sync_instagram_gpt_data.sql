-- Instagram accounts of 100 000 followers or more, and what a language model has answered about them. Columns:
-- handle, name, bio, category; country, followers; answers: has_gender, has_city, has_topics, has_audience,
-- audience_cities (how many the latest answer names, 0 without one). Each DAG asks about the accounts that lack its
-- answer. An answer counts when its readers use it: attributes of the prompt version that
-- mart_instagram_gpt_basic_data reads, audiences of any version, as in mart_audience_info_gpt. The reference looked
-- for version 0.10 in most DAGs, which no reader used. Events of a language model carry the user name in profile_id.
with
    accounts as (
        select
            ifNull(mart.handle, '') as handle,
            ifNull(mart.name, '') as name,
            ifNull(mart.bio, '') as bio,
            -- the category of the audience prior that stands for no category
            coalesce(nullIf(mart.primary_category, ''), 'Missing') as category,
            mart.country as country,
            mart.followers as followers
        from dbt.mart_instagram_account as mart
        where mart.followers >= 100000 and mart.handle != ''
    ),
    answers as (
        select
            profile_id as handle,
            countIf(source = 'openapi_profile_info_v0.12' and JSONHas(dimensions, 'gender')) > 0 as has_gender,
            countIf(source = 'openapi_profile_info_v0.12' and JSONHas(dimensions, 'city')) > 0 as has_city,
            countIf(source = 'openapi_profile_info_v0.12' and JSONHas(dimensions, 'topics')) > 0 as has_topics,
            countIf(JSONHas(dimensions, 'audience_gender_age')) > 0 as has_audience,
            argMaxIf(
                length(JSONExtractKeys(dimensions, 'audience_city')),
                (event_timestamp, event_id),
                JSONHas(dimensions, 'audience_city')
            ) as audience_cities
        from _e.profile_log_events
        where
            platform = 'INSTAGRAM'
            and profile_id in (select handle from accounts)
            and startsWith(source, 'openapi_profile_info_')
        group by profile_id
    )
select
    accounts.handle as handle,
    accounts.name as name,
    accounts.bio as bio,
    accounts.category as category,
    accounts.country as country,
    accounts.followers as followers,
    ifNull(answers.has_gender, false) as has_gender,
    ifNull(answers.has_city, false) as has_city,
    ifNull(answers.has_topics, false) as has_topics,
    ifNull(answers.has_audience, false) as has_audience,
    ifNull(answers.audience_cities, 0) as audience_cities
from accounts
left join answers on answers.handle = accounts.handle
