-- Shops that gave access to their orders, four rows each: what changed since the last complete run, in slices by
-- when an order was placed. Columns: store, created_at_min, created_at_max, updated_at_min (ISO 8601 text with its
-- zone). Beat fetches at most 250 orders per request and knows no pages; the reference sent one request four times
-- to get four pages. The slices: placed since the period began, in the 7 and in the 30 days before that, earlier.
-- The period begins an hour before the newest run of which every slice was completed, at most 30 days ago; the reference
-- looked back 12 hours, whatever had happened. Of a slice with more than 250 changed orders the others are missed. The
-- period begins at a whole hour, so that two tries of a run ask the same.
with
    stores as (
        select distinct ifNull(handle, '') as store
        from dbt.stg_beat_credential
        where source = 'shopify' and enabled = 1
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
        having
            uniqExactIf(
                (
                    JSONExtractString(ifNull(params, ''), 'created_at_min'),
                    JSONExtractString(ifNull(params, ''), 'created_at_max')
                ),
                status = 'COMPLETE'
            )
            >= 4
    ),
    last_runs as (select store, toNullable(max(began)) as began from runs group by store),
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
            arrayJoin(
                [
                    (since, toDateTime('2100-01-01 00:00:00', 'UTC')),
                    (since - interval 7 day, since),
                    (since - interval 30 day, since - interval 7 day),
                    (toDateTime('2000-01-01 00:00:00', 'UTC'), since - interval 30 day)
                ]
            ) as placed
        from periods
    )
select
    store,
    formatDateTime(placed .1, '%Y-%m-%dT%H:%i:%S+00:00', 'UTC') as created_at_min,
    formatDateTime(placed .2, '%Y-%m-%dT%H:%i:%S+00:00', 'UTC') as created_at_max,
    formatDateTime(since, '%Y-%m-%dT%H:%i:%S+00:00', 'UTC') as updated_at_min
from slices
