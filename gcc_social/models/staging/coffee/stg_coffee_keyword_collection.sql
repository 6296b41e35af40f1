{{ config(tags=["collections"], order_by="id") }}

{{
    replica_snapshot(
        source("coffee_replica", "keyword_collection"),
        columns=[
            "id",
            "platform",
            "keywords",
            "start_time",
            "end_time",
            "report_path",
            "enabled",
            "created_at",
        ],
    )
}}
