{{ config(tags=["hourly"], order_by="id") }}

{{
    replica_snapshot(
        source("beat_replica", "instagram_profile_insights"),
        columns=[
            "id",
            "profile_id",
            "handle",
            "created_at",
            "updated_at",
            "audience_country",
            "audience_city",
            "audience_gender_age",
            "audience_locale",
            "reached_audience_country",
            "reached_audience_city",
            "reached_audience_gender_age",
            "engaged_audience_country",
            "engaged_audience_city",
            "engaged_audience_gender_age",
        ],
    )
}}
