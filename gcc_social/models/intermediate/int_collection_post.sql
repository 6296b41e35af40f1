{{ config(tags=["collections"], order_by=["platform", "post_short_code", "collection_type", "collection_id"]) }}

{{
    collection_posts(
        items=ref("stg_coffee_post_collection_item"),
        list_members=ref("stg_coffee_profile_collection_item"),
        lists=ref("stg_coffee_profile_collection"),
        instagram_ids=ref("stg_coffee_view_instagram_account_lite"),
        youtube_ids=ref("stg_coffee_view_youtube_account_lite"),
    )
}}
