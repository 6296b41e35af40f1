-- Instagram accounts that gave access to their own data and whose insights are older than a week, or that have none.
-- Columns: handle, insights_at (NULL: none). In the reference the week was the condition of an outer join, which
-- left nobody out.
with
    accounts as (
        select distinct ifNull(handle, '') as handle
        from dbt.stg_beat_credential
        where source = 'graphapi' and enabled = 1
    ),
    latest_insights as (
        select ifNull(handle, '') as handle, toNullable(max(updated_at)) as insights_at
        from dbt.stg_beat_instagram_profile_insights
        group by handle
    )
select accounts.handle as handle, latest_insights.insights_at as insights_at
from accounts
left join latest_insights on latest_insights.handle = accounts.handle
where latest_insights.insights_at is null or latest_insights.insights_at < now('UTC') - interval 7 day
