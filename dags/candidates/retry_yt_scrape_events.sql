-- YouTube scrape requests that Beat took up and, as far as its events tell, has not finished. Columns: scl_id,
-- flow, platform, params, tries, processing_since. The newest event decides; of events of the same second the later
-- state does. `tries` is the scraper's own count or the number of times it took the request up, whichever is
-- higher: old events carry no count. The reference took any request that had been taken up once, its own retries
-- included, of every platform and of all times.
with
    states as (
        select *, (event_timestamp, transform(status, ['PENDING', 'PROCESSING'], [0, 1], 2)) as place
        from _e.scrape_request_log_events
        where platform = 'YOUTUBE' and event_timestamp >= now('UTC') - interval 7 day
    )
select
    scl_id,
    argMax(states.flow, place) as flow,
    argMax(states.platform, place) as platform,
    argMax(states.params, place) as params,
    greatest(ifNull(max(retry_count), 1), uniqExactIf(event_id, states.status = 'PROCESSING')) as tries,
    max(event_timestamp) as processing_since
from states
group by scl_id
having argMax(states.status, place) = 'PROCESSING'
