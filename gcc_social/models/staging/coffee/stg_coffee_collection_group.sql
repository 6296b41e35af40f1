{{ config(tags=["daily"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "collection_group"),
        columns=["id"],
    )
}}
