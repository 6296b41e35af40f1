{{ config(tags=["hourly"], order_by="id") }}

{{
    replica_snapshot(
        source("beat_replica", "credential"),
        columns=[
            "id",
            "idempotency_key",
            "source",
            "handle",
            "created_at",
            "updated_at",
            "disabled_till",
            "enabled",
            "data_access_expired",
        ],
    )
}}
