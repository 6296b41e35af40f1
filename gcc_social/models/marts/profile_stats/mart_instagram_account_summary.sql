{{ config(tags=["post_ranker"], order_by="profile_id") }}

{{ instagram_account_summary(ref("mart_instagram_recent_post_stats"), key="profile_id") }}
