{{ config(tags=["hourly"], order_by="id") }}

{{
    replica_snapshot(
        source("beat_replica", "order"),
        columns=[
            "id",
            "status",
            "name",
            "landing_site",
            "utm_params",
            "created_at",
            "updated_at",
            "store",
            "platform_order_id",
            "order_data",
            "platform",
            "store_name",
        ],
    )
}}
