{{ config(tags=["collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "view_instagram_account_lite"),
        columns=[
            "id",
            "ig_id",
            "handle",
        ],
    )
}}
