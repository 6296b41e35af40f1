{{ config(tags=["staging_collections"], order_by=["collection_id", "post_short_code", "stats_date"]) }}

{{
    collection_post_ts_instagram(
        collection_type="POST",
        posts=ref("int_staging_collection_post"),
        readings=ref("int_staging_collection_reading"),
        fake_events=ref("mart_staging_fake_events"),
        item_clicks=ref("int_staging_collection_item_clicks"),
    )
}}
