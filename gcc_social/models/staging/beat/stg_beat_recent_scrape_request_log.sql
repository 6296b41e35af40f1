{{ config(tags=["recent_scl"], order_by="id") }}

{{
    replica_snapshot(
        source("beat_replica", "recent_scrape_request_log"),
        columns=[
            "id",
            "source",
            "platform",
            "data",
            "scraped_at",
            "flow",
            "idempotency_key",
            "status",
            "priority",
            "params",
            "created_at",
        ],
    )
}}
