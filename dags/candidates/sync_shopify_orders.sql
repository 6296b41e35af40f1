-- Shops that gave access to their orders, four rows each: what changed since the last complete run, sliced by when an
-- order was placed. Columns: store, slice, updated_at_min, created_at_min and created_at_max (NULL: open), times as
-- ISO 8601 text with their zone. Beat fetches at most 250 orders per request and knows no pages; the reference sent the
-- same request four times to get four pages. Slices: since the start of the period, 7 and 30 days before it, older.
-- The period begins an hour before the newest run whose requests were all completed, so that an outage of any length up
-- to 30 days loses nothing; the reference looked back 12 hours, whatever had happened. It is cut to whole hours: two
-- tries of a run ask the same.
with
    stores as (
        select distinct ifNull(handle, '') as store
        from dbt.stg_beat_credential
        where source = 'shopify' and enabled = 1 and store != ''
    ),
    runs as (
        -- The requests of one run share the beginning of their period.
        select
            JSONExtractString(ifNull(params, ''), 'store') as store,
            JSONExtractString(ifNull(params, ''), 'updated_at_min') as period,
            min(created_at) as began
        from dbt.stg_beat_scrape_request_log final
        where flow = 'refresh_orders_by_store' and created_at >= now('UTC') - interval 30 day
        group by store, period
        having countIf(ifNull(status, '') != 'COMPLETE') = 0
    ),
    last_runs as (
        select store, toNullable(max(began)) as began
        from runs
        group by store
    ),
    periods as (
        select
            stores.store as store,
            toStartOfHour(
                toDateTime(ifNull(last_runs.began - interval 1 hour, now('UTC') - interval 30 day), 'UTC')
            ) as since
        from stores
        left join last_runs on last_runs.store = stores.store
    ),
    slices as (
        select
            store,
            since,
            arrayJoin([
                (1, toNullable(since), null),
                (2, toNullable(since - interval 7 day), toNullable(since)),
                (3, toNullable(since - interval 30 day), toNullable(since - interval 7 day)),
                (4, null, toNullable(since - interval 30 day))
            ]) as part
        from periods
    )
select
    store,
    part.1 as slice,
    formatDateTime(since, '%Y-%m-%dT%H:%i:%S+00:00', 'UTC') as updated_at_min,
    formatDateTime(part.2, '%Y-%m-%dT%H:%i:%S+00:00', 'UTC') as created_at_min,
    formatDateTime(part.3, '%Y-%m-%dT%H:%i:%S+00:00', 'UTC') as created_at_max
from slices
