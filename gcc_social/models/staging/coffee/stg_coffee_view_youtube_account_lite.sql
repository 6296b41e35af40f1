{{ config(tags=["collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "view_youtube_account_lite"),
        columns=[
            "id",
            "channel_id",
            "followers",
            "created_at",
        ],
    )
}}
