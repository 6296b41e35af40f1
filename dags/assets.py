"""Copies of pictures: which of them Beat is asked to put into our own storage before their addresses expire."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.scrape_request import ScrapeSource
from stir.scrape_request_task import ON_FAILURE, POOL, request_params, send_scrape_requests

CANDIDATES = Path(__file__).with_name("candidates")
ASSET_POOL = "beat_assets"
SHAPE: dict[str, Any] = {
    "platform": "INSTAGRAM",
    "entity_key": ("entity_id",),
    "further_keys": ("entity_type",),  # a profile id and the code of a story are both digits
    "payload_columns": ("original_url", "hash"),
    "fixed_params": {"asset_type": "IMAGE", "platform": "INSTAGRAM"},
    "order": "seen_at",  # the address that expires first
    "cool_down": timedelta(hours=24),
}
"""What the requests for copies have in common. `hash` is the upper half of the address's MD5, a 64-bit number."""


post_asset = ScrapeSource(
    flow="asset_upload_flow",
    counted_flows=("asset_upload_flow_stories",),
    candidates=CANDIDATES / "upload_post_asset.sql",
    condition="not is_story",
    limit=25000,
    **SHAPE,
)

with DagDeclaration(
    dag_id="upload_post_asset",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=ASSET_POOL,
    tags=("instagram", "assets"),
    params=request_params(post_asset),
    documentation=Documentation(
        purpose="""Have the thumbnails of Instagram posts copied. A post is asked for once a day until its copy is
        known, the longest waiting first; stories are left to upload_post_asset_stories.""",
        inputs="""`_e.post_log_events` (12 hours), `dbt.stg_beat_asset_log` (what has a copy),
        `_e.scrape_request_log_events` and `stir.accepted_requests` (nothing asked for within a day, by either
        flow).""",
        outputs="""One request of flow `asset_upload_flow` per post at Beat, at most 25000 a run, which takes 21 minutes
        at the default rate; counts in the log and as XCom.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(post_asset, pool=ASSET_POOL)


story_asset = ScrapeSource(
    flow="asset_upload_flow_stories",
    counted_flows=("asset_upload_flow",),
    candidates=CANDIDATES / "upload_post_asset.sql",
    condition="is_story",
    limit=25000,
    **SHAPE,
)

with DagDeclaration(
    dag_id="upload_post_asset_stories",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=ASSET_POOL,
    tags=("instagram", "assets"),
    params=request_params(story_asset),
    documentation=Documentation(
        purpose="""Have the thumbnails of Instagram stories copied before the stories end. A story is asked for once a
        day until its copy is known, the longest waiting first.""",
        inputs="""`_e.post_log_events` (12 hours, stories), `dbt.stg_beat_asset_log` (what has a copy),
        `_e.scrape_request_log_events` and `stir.accepted_requests` (nothing asked for within a day, by either
        flow).""",
        outputs="""One request of flow `asset_upload_flow_stories` per story at Beat, at most 25000 a run; counts in the
        log and as XCom.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(story_asset, pool=ASSET_POOL)


profile_asset = ScrapeSource(
    flow="asset_upload_flow",
    candidates=CANDIDATES / "upload_insta_profile_asset.sql",
    limit=10000,
    **SHAPE,
)

with DagDeclaration(
    dag_id="upload_insta_profile_asset",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=ASSET_POOL,
    tags=("instagram", "assets"),
    params=request_params(profile_asset),
    documentation=Documentation(
        purpose="""Have new Instagram profile pictures copied. A profile is asked for when its picture is another one
        than the copy, told by the path of the address, and at most once a day, the longest waiting first.""",
        inputs="""`_e.profile_log_events` (12 hours), `dbt.stg_beat_asset_log` (which picture has a copy),
        `_e.scrape_request_log_events` and `stir.accepted_requests` (nothing asked for within a day).""",
        outputs="""One request of flow `asset_upload_flow` per profile at Beat, at most 10000 a run; counts in the log
        and as XCom.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(profile_asset, pool=ASSET_POOL)


relationship_asset = ScrapeSource(
    flow="asset_upload_flow",
    candidates=CANDIDATES / "upload_profile_relationship_asset.sql",
    limit=1000,
    **SHAPE,
)

with DagDeclaration(
    dag_id="upload_profile_relationship_asset",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "assets"),
    params=request_params(relationship_asset),
    documentation=Documentation(
        purpose="""Have the pictures of profiles copied that are known only from lists of followers. A profile is asked
        for once a day until it has a copy, the longest waiting first.""",
        inputs="""`dbt.stg_beat_profile_relationship_log` (a day), `dbt.stg_beat_asset_log` (who has a copy),
        `_e.scrape_request_log_events` and `stir.accepted_requests` (nothing asked for within a day).""",
        outputs="""One request of flow `asset_upload_flow` per profile at Beat, at most 1000 a run; counts in the log
        and as XCom.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(relationship_asset)
