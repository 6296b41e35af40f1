"""Scrape requests for shops: which orders Beat is asked to fetch."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.scrape_request import ScrapeSource
from stir.scrape_request_task import ON_FAILURE, POOL, request_params, send_scrape_requests

CANDIDATES = Path(__file__).with_name("candidates")


shopify_orders = ScrapeSource(
    flow="refresh_orders_by_store",
    platform="SHOPIFY",
    entity_key=("store",),
    further_keys=("created_at_min", "created_at_max"),
    payload_columns=("updated_at_min",),
    fixed_params={"limit": 250},
    candidates=CANDIDATES / "sync_shopify_orders.sql",
    order="store, created_at_min desc",
    limit=4000,
    cool_down=timedelta(hours=3),
    backlog_limit=4000,
)

with DagDeclaration(
    dag_id="sync_shopify_orders",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */4 * * *",
    pool=POOL,
    tags=("shopify", "orders"),
    params=request_params(shopify_orders),
    documentation=Documentation(
        purpose="""Fetch the orders of connected Shopify stores that are new or have changed. Every four hours each
        store is asked four times, for orders placed at different times, because one request brings at most 250 orders.
        What counts as changed begins an hour before the last run that was completed, at most 30 days ago. Beat knows no
        pages: where more than 250 orders of one of the four slices have changed, as after a long outage or in a very
        busy store, the others are missed, and nothing says so.""",
        inputs="""`dbt.stg_beat_credential` (which stores are connected), `dbt.stg_beat_scrape_request_log` (their last
        complete run), `_e.scrape_request_log_events` and `stir.accepted_requests` (what was asked for within three
        hours).""",
        outputs="""Four requests of flow `refresh_orders_by_store` per store at Beat; counts in the log and as XCom.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(shopify_orders)
