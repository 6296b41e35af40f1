{{ config(tags=["account_tracker_stats"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "view_campaign_profile_lite"),
        columns=[
            "id",
            "platform",
            "platform_account_id",
            "gcc_user_account_id",
        ],
    )
}}
