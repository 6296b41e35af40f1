{{ config(tags=["collections"], order_by=["collection_id", "post_short_code", "stats_date"]) }}

{{
    post_ts_union(
        ref("mart_post_collection_ia_post_ts"),
        ref("mart_post_collection_yt_post_ts"),
    )
}}
