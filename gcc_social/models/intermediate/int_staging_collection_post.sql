{{ config(tags=["staging_collections"], order_by=["platform", "post_short_code", "collection_type", "collection_id"]) }}

{{
    collection_posts(
        items=ref("stg_coffee_staging_post_collection_item"),
        list_members=ref("stg_coffee_staging_profile_collection_item"),
    )
}}
