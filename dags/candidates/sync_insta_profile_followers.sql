-- Chosen creators of whose followers fewer than 501 are stored. Columns: profile_id, followers_stored. Two lists:
-- the installation's own, a seed, and the one of the fake-follower analysis. Followers of the last day are counted
-- from the events, because the mart is built once a day.
with
    listed_handles as (
        select handle
        from dbt.follower_sample_handles
        union distinct
        select handle
        from ds.creator_handles_fake_follower_poc
    ),
    listed_profiles as (
        select ig_id as profile_id
        from dbt.mart_instagram_account
        where handle in (select handle from listed_handles) and followers > 0
    ),
    stored_followers as (
        select target_profile_id as profile_id, followers_in_db as followers
        from dbt.mart_instagram_profiles_followers_count
        where target_profile_id in (select profile_id from listed_profiles)
        union all
        select
            target_profile_id as profile_id,
            uniqExactIf(
                JSONExtractString(source_dimensions, 'handle'), JSONExtractString(source_dimensions, 'handle') != ''
            ) as followers
        from _e.profile_relationship_log_events
        where
            platform = 'INSTAGRAM'
            and relationship_type = 'FOLLOWS'
            and event_timestamp >= now('UTC') - interval 1 day
            and target_profile_id in (select profile_id from listed_profiles)
        group by target_profile_id
    ),
    most_stored as (select profile_id, max(followers) as followers from stored_followers group by profile_id)
select listed_profiles.profile_id as profile_id, ifNull(most_stored.followers, 0) as followers_stored
from listed_profiles
left join most_stored on most_stored.profile_id = listed_profiles.profile_id
where ifNull(most_stored.followers, 0) <= 500
