{{ config(tags=["staging_collections"], order_by=["collection_id", "post_short_code"]) }}

{{
    collection_post_summary(
        series=ref("mart_staging_collection_post_ts"),
        posts=ref("int_staging_collection_post"),
        item_clicks=ref("int_staging_collection_item_clicks"),
        special_collections=ref("special_collections"),
    )
}}
