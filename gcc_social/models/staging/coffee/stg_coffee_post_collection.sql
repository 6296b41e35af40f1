{{ config(tags=["collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "post_collection"),
        columns=[
            "id",
            "share_id",
            "partner_id",
            "source",
            "created_at",
        ],
    )
}}
