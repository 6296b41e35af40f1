"""Airflow assets: the marts that something outside dbt waits for. A tier publishes them when it has succeeded."""

from __future__ import annotations

from airflow.sdk import Asset


def mart(name: str) -> Asset:
    """Asset of one mart of the warehouse, named like its table."""
    return Asset(name=name, uri=f"clickhouse://warehouse/dbt/{name}", group="dbt")


LEADERBOARD = mart("mart_leaderboard")
SCRAPE_REQUESTS = mart("stg_beat_recent_scrape_request_log")
POST_STATISTICS = mart("mart_instagram_account_summary")
