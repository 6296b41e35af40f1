"""Operational messages: what other services are told about rows that need their attention."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.message_per_row import ON_FAILURE, POOL, MessageSource, message_params, publish_messages

CANDIDATES = Path(__file__).with_name("candidates")


missing_journey = MessageSource(
    name="sync_missing_journey",
    exchange="campaign.dx",
    routing_key="campaign.JOURNEY_MIGRATION_FOR_UCA_RK",
    candidates=CANDIDATES / "sync_missing_journey.sql",
    id_column="id",
    order="id",
    limit=5000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_missing_journey",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign",),
    params=message_params(missing_journey),
    documentation=Documentation(
        purpose="""Ask the campaign service to create the journey of active applications that have none. Each
        application is asked for once a day at most, oldest first, so that applications which never get one do not
        block newer ones.""",
        inputs="""`campaign_replica.user_campaign_application`,
        `campaign_replica.user_campaign_journey`, and
        `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per application on exchange `campaign.dx`, key
        `campaign.JOURNEY_MIGRATION_FOR_UCA_RK`; the body is the bare application id. Each is recorded in
        `stir.published_messages`.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(missing_journey)
