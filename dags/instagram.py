"""Scrape requests for Instagram: which profiles and posts Beat is asked to look at, and how often."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.scrape_request import FailureRule, ScrapeSource
from stir.scrape_request_task import ON_FAILURE, POOL, request_params, send_scrape_requests

CANDIDATES = Path(__file__).with_name("candidates")


insta_collection_posts = ScrapeSource(
    flow="refresh_post_by_shortcode",
    platform="INSTAGRAM",
    entity_key=("shortcode",),
    candidates=CANDIDATES / "sync_insta_collection_posts.sql",
    order="publish_time asc nulls first",
    limit=250,
    cool_down=timedelta(hours=12),
    failure_rule=FailureRule(failures=2, within=timedelta(days=30)),
    backlog_limit=2000,
)

with DagDeclaration(
    dag_id="sync_insta_collection_posts",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "collections"),
    params=request_params(insta_collection_posts),
    documentation=Documentation(
        purpose="""Keep the posts of post collections fresh while they are young. Every ten minutes at most 250 posts
        are
        asked for, those that were never scraped first, then the oldest.""",
        inputs="""`dbt.stg_coffee_post_collection_item` (items of two months), `dbt.stg_beat_instagram_post` (publish
        times, 14 days), `_e.scrape_request_log_events` (nothing asked for within 12 hours),
        `dbt.stg_beat_scrape_request_log`
        (nothing that failed twice in 30 days without a success; throttling does not count).""",
        outputs="One request of flow `refresh_post_by_shortcode` per post at Beat; counts in the log and as XCom.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(insta_collection_posts)
