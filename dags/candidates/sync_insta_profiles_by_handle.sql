-- Tracked Instagram profiles that are due for a refresh; the model decides who is due and how urgently. Columns:
-- handle, priority (0 first), turn. The reference knew no priority and served the alphabet's beginning. Within a
-- priority the order changes daily, so that no part of the alphabet starves while more profiles are due than a run
-- may ask for.
select handle, priority, cityHash64(handle, toDate(now('UTC'))) as turn from dbt.mart_instagram_tracked_profiles
