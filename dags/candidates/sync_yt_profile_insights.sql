-- YouTube channels that gave access to their own data and whose insights are older than a week, or that have none.
-- Columns: channel_id, insights_at (NULL: none). In the reference the week was the condition of an outer join,
-- which left nobody out.
with
    channels as (
        select distinct ifNull(handle, '') as channel_id
        from dbt.stg_beat_credential
        where source = 'ytapi' and enabled = 1
    ),
    latest_insights as (
        select ifNull(channel_id, '') as channel_id, toNullable(max(updated_at)) as insights_at
        from dbt.stg_beat_youtube_profile_insights
        group by channel_id
    )
select channels.channel_id as channel_id, latest_insights.insights_at as insights_at
from channels
left join latest_insights on latest_insights.channel_id = channels.channel_id
where latest_insights.insights_at is null or latest_insights.insights_at < now('UTC') - interval 7 day
