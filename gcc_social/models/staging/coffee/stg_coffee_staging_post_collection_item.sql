{{ config(tags=["staging_collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_stage", "post_collection_item"),
        columns=[
            "id",
            "platform",
            "short_code",
            "post_type",
            "post_collection_id",
            "post_link",
            "post_thumbnail",
            "posted_by_handle",
            "sponsor_links",
            "enabled",
            "show_in_report",
            "created_at",
            "updated_at",
            "cost",
            "retrieve_data",
        ],
    )
}}
