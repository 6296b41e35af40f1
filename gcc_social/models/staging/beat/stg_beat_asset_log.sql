{{
    config(
        tags=["collections"],
        materialized="incremental",
        incremental_strategy="append",
        engine="ReplacingMergeTree(updated_at)",
        order_by="id",
    )
}}

{{
    replica_incremental(
        source("beat_replica", "asset_log"),
        columns=[
            "id",
            "entity_id",
            "entity_type",
            "platform",
            "asset_type",
            "asset_url",
            "original_url",
            "updated_at",
            "created_at",
        ],
        watermark="updated_at",
        written="created_at",
    )
}}
