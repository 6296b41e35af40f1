{{ config(tags=["collections"], order_by=["platform", "post_short_code", "stats_date"]) }}

{{ collection_fake_events(readings=ref("int_collection_reading"), posts=ref("int_collection_post")) }}
