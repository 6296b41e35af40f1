{{ config(tags=["staging_collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_stage", "profile_collection_item"),
        columns=[
            "id",
            "platform",
            "profile_social_id",
            "profile_collection_id",
            "shortlist_id",
        ],
    )
}}
