{{ config(tags=["collections"], order_by=["collection_id", "post_short_code"]) }}

{{
    collection_post_summary(
        series=ref("mart_collection_post_ts"),
        posts=ref("int_collection_post"),
        item_clicks=ref("int_collection_item_clicks"),
        special_collections=ref("special_collections"),
        collections=ref("stg_coffee_post_collection"),
    )
}}
