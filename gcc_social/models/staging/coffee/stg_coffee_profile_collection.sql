{{ config(tags=["collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "profile_collection"),
        columns=[
            "id",
            "share_id",
            "name",
            "partner_id",
            "created_at",
            "source",
        ],
    )
}}
