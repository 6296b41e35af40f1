{{ config(tags=["core"], order_by="id") }}

{{
    replica_snapshot(
        source("beat_replica", "youtube_account"),
        columns=[
            "id",
            "channel_id",
            "description",
            "created_at",
            "updated_at",
            "custom_url",
            "title",
            "published_at",
            "thumbnails",
            "thumbnail",
            "is_subscriber_count_hidden",
            "subscribers",
            "uploads",
            "views",
            "shorts",
            "username",
            "gplsuid",
            "country",
            "yt_category_id",
            "yt_category",
            "locale",
            "er12p",
            "uploads_playlist_id",
            "is_verified",
            "external_urls",
            "tagged_country",
            "account_type",
            "language",
        ],
    )
}}
