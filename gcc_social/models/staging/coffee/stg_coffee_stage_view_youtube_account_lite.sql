{{ config(tags=["deprecated"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_stage", "view_youtube_account_lite"),
        columns=[
            "id",
            "channel_id",
            "followers",
            "created_at",
        ],
    )
}}
