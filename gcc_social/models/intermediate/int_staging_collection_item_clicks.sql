{{ config(tags=["staging_collections"], order_by="post_collection_item_id") }}

{{ collection_item_clicks(items=ref("stg_coffee_staging_post_collection_item")) }}
