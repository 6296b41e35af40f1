{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(event_timestamp)",
        order_by=["follower_id", "profile_id"],
    )
}}

{%- set profile_handle = "JSONExtractString(observations.target_dimensions, 'handle')" -%}
{%- set follower_handle = "JSONExtractString(observations.source_dimensions, 'handle')" -%}

{{
    relationships(
        source("_e", "profile_relationship_log_events"),
        when="platform = 'INSTAGRAM' and relationship_type = 'FOLLOWS'",
        source={"name": "follower", "key": "source_profile_id"},
        target={"name": "profile", "key": "target_profile_id"},
        accounts=ref("int_instagram_account"),
        account_key="ig_id",
        observed={
            "profile_handle": "nullIf(" ~ latest(profile_handle, profile_handle ~ " != ''") ~ ", '')",
            "follower_handle": "nullIf(" ~ latest(follower_handle, follower_handle ~ " != ''") ~ ", '')",
            "timestamp": "min(observations.event_timestamp)",
            "event_timestamp": "max(observations.event_timestamp)",
        },
        attributes={"category": "primary_category_original", "country": "country"},
    )
}}
