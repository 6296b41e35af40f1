{{ config(tags=["post_ranker_partial"], order_by="profile_id") }}

{{ instagram_account_summary(ref("mart_instagram_recent_post_stats_partial"), key="profile_id") }}
