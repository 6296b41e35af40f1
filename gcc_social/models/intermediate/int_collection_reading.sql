{{ config(tags=["collections"], order_by=["platform", "post_short_code", "stats_date"]) }}

{{ collection_readings(ref("int_collection_post")) }}
