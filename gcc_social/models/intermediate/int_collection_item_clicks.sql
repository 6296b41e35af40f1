{{ config(tags=["collections"], order_by="post_collection_item_id") }}

{{
    collection_item_clicks(
        items=ref("stg_coffee_post_collection_item"), manual_clicks=ref("mart_collection_post_clicks")
    )
}}
