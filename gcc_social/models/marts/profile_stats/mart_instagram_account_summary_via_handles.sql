{{ config(tags=["deprecated"], order_by="handle") }}

{{ instagram_account_summary(ref("mart_instagram_recent_post_stats"), key="handle") }}
