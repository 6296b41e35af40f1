-- Stories that were added to post collections within a day and that no reading has put in proportion to their owner
-- yet. Columns: story_id, handle, added_at, profile_id (NULL: a handle that no model knows); profile_follower,
-- profile_er, profile_static_er, profile_reels_er (rates in percent; NULL: unknown); figures_known. The scraper
-- keeps the first figures that it is given for a story, so they should be good: figures_known holds when the profile
-- was scraped within a week (in that time followers change by a fraction of a percent) and has an engagement rate.
-- The reference scraped every profile anew at each run, 250 forced full refreshes one after the other, and dropped a
-- story without a word when the reply named another profile id, and any story of a handle that it did not know.
-- Rates are made as the scraper's reply makes them: over the newest 12 posts of each kind, without the outliers
-- where there are more than four.
with
    added_stories as (
        select
            ifNull(short_code, '') as story_id,
            lower(argMax(ifNull(posted_by_handle, ''), (ifNull(updated_at, created_at), id))) as handle,
            max(created_at) as added_at
        from dbt.stg_coffee_post_collection_item
        where
            platform = 'INSTAGRAM'
            and post_type = 'story'
            and created_at >= now('UTC') - interval 1 day
            -- not LIKE, in which the underscore stands for any character
            and (match(story_id, '^[0-9]{5,}$') or startsWith(story_id, 'story_dum_'))
        group by story_id
    ),
    -- A figure that is missing or 0 says nothing; figures are kept, so one reading that has them is enough.
    measured_stories as (
        select shortcode
        from _e.post_log_events
        where
            platform = 'INSTAGRAM'
            and event_timestamp >= now('UTC') - interval 2 day
            and shortcode in (select story_id from added_stories)
            and (JSONExtractFloat(metrics, 'profile_follower') > 0 or JSONExtractFloat(metrics, 'profile_er') > 0)
    ),
    -- A user name changes hands: the profile that was seen last has it.
    profiles as (
        select
            profile_id,
            ifNull(metrics.handle, '') as handle,
            metrics.followers as followers,
            ifNull(newest_event_at >= now('UTC') - interval 7 day, false) as is_fresh
        from dbt.mart_profile_core_metrics as metrics
        where platform = 'INSTAGRAM' and metrics.handle in (select handle from added_stories)
        order by newest_event_at desc nulls last, profile_id
        limit 1 by handle
    ),
    -- The partial mart holds who was scraped today, the whole one everybody, some hours later.
    summaries as (
        select
            1 as age,
            profile_id,
            avg_er,
            avg_er_non_outliers,
            avg_static_er,
            static_er_non_outliers,
            reels_er,
            reels_er_non_outliers
        from dbt.mart_instagram_account_summary_partial
        union all
        select
            2 as age,
            profile_id,
            avg_er,
            avg_er_non_outliers,
            avg_static_er,
            static_er_non_outliers,
            reels_er,
            reels_er_non_outliers
        from dbt.mart_instagram_account_summary
    ),
    rates as (
        select
            profile_id,
            round(100 * coalesce(avg_er_non_outliers, avg_er), 4) as er,
            round(100 * coalesce(static_er_non_outliers, avg_static_er), 4) as static_er,
            round(100 * coalesce(reels_er_non_outliers, reels_er), 4) as reels_rate
        from summaries
        where profile_id in (select profile_id from profiles)
        order by age
        limit 1 by profile_id
    )
select
    added_stories.story_id as story_id,
    added_stories.handle as handle,
    added_stories.added_at as added_at,
    nullIf(profiles.profile_id, '') as profile_id,
    nullIf(profiles.followers, 0) as profile_follower,
    rates.er as profile_er,
    rates.static_er as profile_static_er,
    rates.reels_rate as profile_reels_er,
    ifNull(profiles.is_fresh and profiles.followers > 0 and rates.er > 0, false) as figures_known
from added_stories
left join profiles on profiles.handle = added_stories.handle
left join rates on rates.profile_id = profiles.profile_id
where added_stories.story_id not in (select shortcode from measured_stories)
