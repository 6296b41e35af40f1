{{ config(tags=["core"], materialized="incremental", incremental_strategy="append", engine="ReplacingMergeTree(updated_at)", order_by="id") }}

{{
    replica_incremental(
        source("beat_replica", "youtube_post"),
        columns=[
            "id",
            "description",
            "created_at",
            "updated_at",
            "published_at",
            "channel_id",
            "title",
            "views",
            "thumbnails",
            "thumbnail",
            "shortcode",
            "likes",
            "favourites",
            "tags",
            "channel_title",
            "duration",
            "is_licensed",
            "category_id",
            "category",
            "audio_language",
            "content_rating",
            "playlist_id",
            "privacy_status",
            "keywords",
            "comments",
            "post_type",
        ],
        watermark="updated_at",
        written="created_at",
    )
}}
