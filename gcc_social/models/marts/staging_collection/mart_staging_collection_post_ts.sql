{{ config(tags=["staging_collections"], order_by=["collection_id", "post_short_code", "stats_date"]) }}

{{
    post_ts_union(
        ref("mart_staging_profile_collection_post_ts"),
        ref("mart_staging_post_collection_post_ts"),
        item_id_first=true,
    )
}}
