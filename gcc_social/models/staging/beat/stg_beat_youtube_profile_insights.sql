{{ config(tags=["hourly"], order_by="id") }}

{{
    replica_snapshot(
        source("beat_replica", "youtube_profile_insights"),
        columns=[
            "id",
            "channel_id",
            "created_at",
            "updated_at",
            "country",
            "city",
            "gender_age",
        ],
    )
}}
