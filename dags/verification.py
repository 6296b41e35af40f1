"""Verification of what creators hand in: which posts are compared with what was asked for, and with whose they are."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.message_per_row import ON_FAILURE, POOL, Column, MessageSource, message_params, publish_messages
from stir.platform_variables import HANDLE_CHECKS_SINCE

CANDIDATES = Path(__file__).with_name("candidates")


content = MessageSource(
    name="upload_content_verification",
    exchange="",
    routing_key="content_match_q",
    candidates=CANDIDATES / "upload_content_verification.sql",
    id_column="submission_id",
    further_keys=("shortcode",),
    payload={
        "expected_content_url": Column("reference_url"),
        "post": {
            "type": Column("post_type"),
            "shortcode": Column("shortcode"),
            "profile_id": Column("profile_id"),
            "submission_id": Column("submission_id"),
            "platform": "INSTAGRAM",
        },
    },
    order="submission_id desc",
    limit=250,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="upload_content_verification",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("campaign", "verification"),
    params=message_params(content),
    documentation=Documentation(
        purpose="""Queue submitted stories and reels for comparison with the campaign's reference post. A submission is
        queued once a day while it is under review, and at once when its post is replaced; newest first.""",
        inputs="""`campaign_replica.deliverable_submission`, `campaign`, `brief` and `campaign_deliverable` of the same
        database, `dbt.stg_coffee_campaign_profiles`, `dbt.stg_coffee_view_instagram_account_lite`, and
        `stir.published_messages`.""",
        outputs="""One persistent message per submission to queue `content_match_q`: `expected_content_url`, and `post`
        with `type` (story or reels), `shortcode`, `profile_id`, `submission_id`, `platform`.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(content)


handle = MessageSource(
    name="upload_handle_verification",
    exchange="campaign.dx",
    routing_key="campaign.handle_verification",
    candidates=CANDIDATES / "upload_handle_verification.sql",
    id_column="submission_id",
    further_keys=("shortcode",),
    variables=(HANDLE_CHECKS_SINCE,),
    payload={
        "submissionId": Column("submission_id"),
        "submissionCPIGId": Column("submitter_id"),
        "submissionCPHandle": Column("submitter_handle"),
        "urlIGId": Column("owner_id"),
        "urlCPHandle": Column("owner_handle"),
    },
    order="submission_id",
    limit=1000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="upload_handle_verification",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign", "verification"),
    params=message_params(handle),
    documentation=Documentation(
        purpose="""Send the account of whoever handed a post in and the account that the post belongs to, for
        comparison. A submission is sent once a day until the comparison has an outcome, and at once when its post is
        replaced; oldest first, at most 1000 a run.""",
        inputs="""`campaign_replica.deliverable_submission` and `campaign`, `dbt.stg_beat_instagram_post`,
        `dbt.stg_coffee_campaign_profiles`, `dbt.stg_coffee_view_instagram_account_lite`, Variable
        `handle_checks_since`, and `stir.published_messages`.""",
        outputs="""One persistent message per submission on exchange `campaign.dx`, key `campaign.handle_verification`:
        `submissionId`, `submissionCPIGId`, `submissionCPHandle`, `urlIGId`, `urlCPHandle`.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(handle)
