{{ config(tags=["staging_collections"], order_by=["platform", "post_short_code", "stats_date"]) }}

{{ collection_readings(ref("int_staging_collection_post")) }}
