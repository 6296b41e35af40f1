{{ config(tags=["daily"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "activity_tracker"),
        columns=["id"],
    )
}}
