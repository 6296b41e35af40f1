{{
    config(
        tags=["account_tracker_stats"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree()",
        order_by="id",
        partition_by="toYYYYMM(ifNull(created_at, toDateTime64('2020-01-01 00:00:00', 6)))",
    )
}}

with requests as (select * from {{ source("beat_replica", "recent_scrape_request_log") }})

select
    assumeNotNull(requests.id) as id,
    source,
    platform,
    data,
    scraped_at,
    flow,
    idempotency_key,
    status,
    priority,
    params,
    created_at,
    expires_at,
    picked_at,
    retry_count,
    account_id
from requests
where
    requests.id is not null
    {% if is_incremental() %}
        and (
            created_at > {{ lookback_start("created_at") }}
            or scraped_at > {{ lookback_start("scraped_at") }}
            -- A retry puts a finished request back to PENDING and touches neither time, so open requests are always
            -- read.
            or status not in ('COMPLETE', 'FAILED')
            or status is null
        )
    {% endif %}
