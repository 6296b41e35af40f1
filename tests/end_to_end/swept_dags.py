"""Every DAG of the inventory by what it does, with where its effect is seen."""

from __future__ import annotations

from typing import Any

TIERS = (
    *("dbt_core", "dbt_recent_scl", "dbt_collections", "dbt_staging_collections", "refresh_account_tracker_stats"),
    *("post_ranker", "post_ranker_partial", "dbt_hourly", "dbt_gcc_orders", "dbt_daily", "dbt_weekly"),
)
SYNCS = {
    "sync_collection_hashtags_prod": "collection_hashtag",
    "sync_collection_keywords_prod": "collection_keyword",
    "sync_collection_post_summary_prod": "collection_post_metrics_summary",
    "sync_collection_post_summary_staging": "collection_post_metrics_summary",
    "sync_collection_post_ts_prod": "collection_post_metrics_ts",
    "sync_collection_post_ts_staging": "collection_post_metrics_ts",
    "sync_genre_overview_prod": "genre_overview",
    "sync_genre_overview_staging": "genre_overview",
    "sync_group_metrics_prod": "group_metrics",
    "sync_hashtags_prod": "social_profile_hashtags",
    "sync_leaderboard_prod": "leaderboard",
    "sync_leaderboard_staging": "leaderboard",
    "sync_time_series_prod": "social_profile_time_series",
    "sync_time_series_staging": "social_profile_time_series",
    "sync_trending_content_prod": "trending_content",
    "sync_trending_content_staging": "trending_content",
}
GPT = "refresh_instagram_gpt_data"
FLOWS = {
    "sync_g3_collection_posts": "refresh_post_by_shortcode",
    "sync_insta_collection_posts": "refresh_post_by_shortcode",
    "sync_insta_collection_stories": "refresh_story_posts_by_profile_id",
    "sync_insta_post_comments": "fetch_post_comments",
    "sync_insta_post_insights": "refresh_post_insights",
    "sync_insta_profile_followers": "fetch_profile_followers",
    "sync_insta_profile_following": "fetch_profile_following",
    "sync_insta_profile_insights": "refresh_profile_insights",
    "sync_insta_profiles_by_handle": "refresh_profile_by_handle",
    "sync_insta_stories": "refresh_stories_posts",
    "sync_insta_stories_explicitly": "refresh_story_posts_by_profile_id",
    "sync_insta_story_insights": "refresh_story_insights",
    "sync_instagram_gpt_data_audience_age_gender": f"{GPT}_audience_age_gender",
    "sync_instagram_gpt_data_audience_cities": f"{GPT}_audience_cities",
    "sync_instagram_gpt_data_base_categ_lang_topics": f"{GPT}_base_categ_lang_topics",
    "sync_instagram_gpt_data_base_gender": f"{GPT}_base_gender",
    "sync_instagram_gpt_data_base_location": f"{GPT}_base_location",
    "sync_instagram_gpt_data_gender_location_lang": f"{GPT}_gender_location_lang",
    "sync_shopify_orders": "refresh_orders_by_store",
    "sync_yt_channels": "refresh_yt_profiles",
    "sync_yt_collection_posts": "refresh_yt_posts",
    "sync_yt_critical_daily": "refresh_yt_profiles",
    "sync_yt_genre_videos": "refresh_yt_posts_by_genre",
    "sync_yt_post_comments": "fetch_yt_post_comments",
    "sync_yt_post_type": "refresh_yt_post_type",
    "sync_yt_profile_insights": "refresh_yt_profile_insights",
    "sync_yt_profile_relationship_by_channel_id": "refresh_yt_profile_relationship",
    "sync_yt_profiles_by_handle": "refresh_yt_profiles",
    "sync_yt_profiles_videos_by_handle": "refresh_yt_posts_by_playlist_id",
    "track_hashtags": "fetch_hashtag_posts",
    "upload_insta_profile_asset": "asset_upload_flow",
    "upload_post_asset": "asset_upload_flow",
    "upload_post_asset_stories": "asset_upload_flow_stories",
    "upload_profile_relationship_asset": "asset_upload_flow",
}
"""The flow that each DAG asks for at Beat."""
CAMPAIGN = "campaign."
QUEUES = {
    "create_payout_for_active_su_if_not_present": f"{CAMPAIGN}CREATE_PAYOUT_FOR_SU_IF_ALREADY_NOT_EXIST_Q",
    "mark_campaign_completed_on_refer_launch": f"{CAMPAIGN}HANDLE_SUBMISSION_FOR_REFERRAL_CAMPAIGN_SU_Q",
    "sync_final_post_submitted_for_cp": f"{CAMPAIGN}SYNC_POST_CREATION_FOR_CP_WITH_IDENTITY_Q",
    "sync_missing_journey": f"{CAMPAIGN}JOURNEY_MIGRATION_FOR_UCA_Q",
    "sync_post_with_saas_again": f"{CAMPAIGN}SYNC_POST_DATA_WITH_SAAS_Q",
    "uca_su_saas_item_sync": f"{CAMPAIGN}SYNC_UCA_WITH_SAAS_AS_PROFILE_ITEM_Q",
    "upload_handle_verification": f"{CAMPAIGN}handle_verification_q",
    "sync_keyword_collection_report": "keyword_collection_q",
    "sync_post_collection_sentiment_report_path": "sentiment_collection_report_in_q",
    "upload_content_verification": "content_match_q",
}
"""The queue that each DAG's messages end in."""
OTHERS: dict[str, dict[str, Any]] = {
    "cleanup_serving_artifacts": {},
    "crm_recommendation_invitation": {},
    "dbt_manual": {"select": "mart_gcc_orders"},
    "retry_yt_scrape_events": {},
    "slack_connection": {},
    "sync_vidooly_es_youtube_channels": {},
}
"""DAGs of which there is one of a kind, with the form of their run: the model that is built by hand is none that a sync
publishes meanwhile. `rollback_serving_table` has a test of its own.
"""
