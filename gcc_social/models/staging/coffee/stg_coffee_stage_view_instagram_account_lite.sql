{{ config(tags=["deprecated"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_stage", "view_instagram_account_lite"),
        columns=[
            "id",
            "ig_id",
            "handle",
        ],
    )
}}
