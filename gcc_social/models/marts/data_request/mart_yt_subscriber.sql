{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(event_timestamp)",
        order_by=["subscriber_id", "channel_id"],
    )
}}

{{ yt_subscriber(source("_e", "yt_profile_relationship_log_events")) }}
