{{
    config(
        tags=["hourly"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(timestamp)",
        order_by="(target_profile_id, id)",
        partition_by="toYYYYMM(timestamp)",
        settings={"allow_nullable_key": 1},
    )
}}

{{
    replica_incremental(
        source("beat_replica", "profile_relationship_log"),
        columns=[
            "id",
            "relationship_type",
            "platform",
            "source_profile_id",
            "target_profile_id",
            "source_dimensions",
            "source_metrics",
            "target_dimensions",
            "target_metrics",
            "source",
            "timestamp",
        ],
        watermark="timestamp",
        growing_key=true,
    )
}}
