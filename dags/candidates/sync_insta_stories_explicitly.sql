-- Profiles whose stories are always asked for. Columns: profile_id, handle. Two lists: the installation's own, a
-- seed, and the one that data science keeps.
select profile_id, handle
from dbt.story_profiles
where handle != ''
union distinct
select profile_id, handle
from ds.explicitly_instagram_stories
where handle != ''
