"""Events to the CRM, which turns them into messages to creators."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.crm_event import ON_FAILURE, CrmEventSource, OfferKind, event_params, send_events
from stir.dag_declaration import DagDeclaration, Documentation, Kind

CANDIDATES = Path(__file__).with_name("candidates")


collaborations = OfferKind(
    kind="collab",
    label="Collab",
    when_known={
        "Id": "campaign_id",
        "Start Date & Time": "start_time",
        "End Date & Time": "end_time",
        "Slots Left": "slots_left",
    },
    always={
        "Name": "campaign_name",
        "Description": "campaign_description",
        "Tentative Payout": "payout_text",
        "Image URL": "campaign_image",
        "Deeplink": "campaign_link",
    },
)

challenges = OfferKind(
    kind="challenge",
    label="Challenge",
    when_known={
        "Id": "challenge_id",
        "Start Date & Time": "start_time",
        "End Date & Time": "challenge_end_time",
        "Deeplink": "challenge_link",
    },
    always={
        "Name": "challenge_name",
        "Tentative Payout": "payout_text",
        "Image URL": "challenge_image",
        "Slots Left": "slots_left",
    },
)

recommendation = CrmEventSource(
    name="crm_recommendation_invitation",
    event_name="Final Campaign Recommendation",
    candidates=CANDIDATES / "crm_recommendation_invitation.sql",
    kinds=(collaborations, challenges),
    limit=20000,
    cool_down=timedelta(days=7),
)

with DagDeclaration(
    dag_id="crm_recommendation_invitation",
    kind=Kind.CRM_EVENT,
    schedule=None,
    tags=("campaign", "crm"),
    params=event_params(recommendation),
    documentation=Documentation(
        purpose="""Invite creators to the campaigns that they could join. Each creator gets one event with at most two
        collaborations and two challenges: the first known ones, in the order in which they were recommended. No other
        event follows within a week. Triggered by hand.""",
        inputs="""`campaign_replica.user_eligible_campaigns` (100 users at a time),
        `campaign_replica.collab_challenge_slot_combined_data`, and `stir.sent_crm_events` for the cool-down. Users
        without an account or unknown to the CRM are left out, and so are those to whom nothing can be offered.""",
        outputs="""One POST of event `Final Campaign Recommendation` per user to `/webengage/event/` of connection
        `crm_events`; each that was taken is recorded in `stir.sent_crm_events`. At most 20000 a run, which takes 17
        minutes at the default rate: trigger again for more.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_events(recommendation)
