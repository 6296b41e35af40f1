"""Operational messages: what other services are told about rows that need their attention."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.message_per_row import ON_FAILURE, POOL, Column, MessageSource, message_params, publish_messages
from stir.platform_variables import KEYWORD_JOB_PREFIX, PAYOUTS_SINCE, PROFILE_ITEMS_SINCE

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
        inputs="""`campaign_replica.user_campaign_application`, `campaign_replica.user_campaign_journey`, and
        `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per application on exchange `campaign.dx`, key
        `campaign.JOURNEY_MIGRATION_FOR_UCA_RK`; the body is the bare application id. Each is recorded in
        `stir.published_messages`.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(missing_journey)


final_post_submitted = MessageSource(
    name="sync_final_post_submitted_for_cp",
    exchange="campaign.dx",
    routing_key="campaign.SYNC_POST_CREATION_FOR_CP_WITH_IDENTITY_RK",
    candidates=CANDIDATES / "sync_final_post_submitted_for_cp.sql",
    id_column="campaign_profile_id",
    order="submission_id desc",
    limit=1000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_final_post_submitted_for_cp",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign", "identity"),
    params=message_params(final_post_submitted),
    documentation=Documentation(
        purpose="""Tell identity, through the campaign service, which campaign profiles have handed in a final post.
        Each profile is told once a day at most, the one with the newest post first, until its account knows.""",
        inputs="""`campaign_replica.deliverable_submission`, `identity_replica.social_account`, and
        `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per campaign profile on exchange `campaign.dx`, key
        `campaign.SYNC_POST_CREATION_FOR_CP_WITH_IDENTITY_RK`; the body is the bare campaign profile id.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(final_post_submitted)


post_with_saas = MessageSource(
    name="sync_post_with_saas_again",
    exchange="campaign.dx",
    routing_key="campaign.SYNC_POST_DATA_WITH_SAAS_RK",
    candidates=CANDIDATES / "sync_post_with_saas_again.sql",
    id_column="id",
    further_keys=("status", "saas_post_item_status"),
    order="id",
    limit=1000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_post_with_saas_again",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign",),
    params=message_params(post_with_saas),
    documentation=Documentation(
        purpose="""Have submissions sent again to the report product where the status there disagrees. The same
        disagreement is told once a day at most, the oldest submission first; a new one of the same submission at once.
        A run sends at most 1000, so that a disagreement of everything does not flood the exchange.""",
        inputs="""`campaign_replica.deliverable_submission`, and `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per submission on exchange `campaign.dx`, key
        `campaign.SYNC_POST_DATA_WITH_SAAS_RK`; the body is the bare submission id.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(post_with_saas)


profile_items = MessageSource(
    name="uca_su_saas_item_sync",
    exchange="campaign.dx",
    routing_key="campaign.SYNC_UCA_WITH_SAAS_AS_PROFILE_ITEM_RK",
    candidates=CANDIDATES / "uca_su_saas_item_sync.sql",
    id_column="id",
    variables=(PROFILE_ITEMS_SINCE,),
    order="id",
    limit=5000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="uca_su_saas_item_sync",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign",),
    params=message_params(profile_items),
    documentation=Documentation(
        purpose="""Ask for campaign applications to be added to the report product as items of the campaign's
        collection. Each application is asked for once a day at most, oldest first, so that those which never get an
        item do not block newer ones.""",
        inputs="""`campaign_replica.user_campaign_application`, `campaign_replica.campaign`, Variable
        `profile_items_since`, and `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per application on exchange `campaign.dx`, key
        `campaign.SYNC_UCA_WITH_SAAS_AS_PROFILE_ITEM_RK`; the body is the bare application id.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(profile_items)


missing_payout = MessageSource(
    name="create_payout_for_active_su_if_not_present",
    exchange="campaign.dx",
    routing_key="campaign.CREATE_PAYOUT_FOR_SU_IF_ALREADY_NOT_EXIST_RK",
    candidates=CANDIDATES / "create_payout_for_active_su_if_not_present.sql",
    id_column="id",
    variables=(PAYOUTS_SINCE,),
    order="id desc",
    limit=1000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="create_payout_for_active_su_if_not_present",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign", "payouts"),
    params=message_params(missing_payout),
    documentation=Documentation(
        purpose="""Ask the campaign service to create the payout of accepted shortlisted users who have none. This
        moves money: the replica may lag, so the service decides, and creates nothing where there is a payout already.
        Each user is asked for once a day at most, newest first.""",
        inputs="""`campaign_replica.shortlisted_user`, `campaign_replica.campaign_payout` (nobody is chosen while it is
        empty), Variable `payouts_since`, and `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per user on exchange `campaign.dx`, key
        `campaign.CREATE_PAYOUT_FOR_SU_IF_ALREADY_NOT_EXIST_RK`; the body is the bare shortlisted user id.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(missing_payout)


refer_launch = MessageSource(
    name="mark_campaign_completed_on_refer_launch",
    exchange="campaign.dx",
    routing_key="campaign.HANDLE_SUBMISSION_FOR_REFERRAL_CAMPAIGN_SU_RK",
    candidates=CANDIDATES / "mark_campaign_completed_on_refer_launch.sql",
    id_column="shortlisted_user_id",
    order="launched_at",
    limit=5000,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="mark_campaign_completed_on_refer_launch",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 * * * *",
    pool=POOL,
    tags=("campaign",),
    params=message_params(refer_launch),
    documentation=Documentation(
        purpose="""Tell the campaign service through whose referral link the app was launched, which completes the
        campaign for them. Each user is told once a day at most, the earliest launch first, at most 5000 a run; what is
        over comes an hour later, as long as its launch is of the last day.""",
        inputs="""`_e.launch_refer_events` (a day), `campaign_replica.deliverable_shortlisted_user_link`, and
        `stir.published_messages` for the cool-down.""",
        outputs="""One persistent message per user on exchange `campaign.dx`, key
        `campaign.HANDLE_SUBMISSION_FOR_REFERRAL_CAMPAIGN_SU_RK`; the body is the bare shortlisted user id.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(refer_launch)


sentiment_report = MessageSource(
    name="sync_post_collection_sentiment_report_path",
    exchange="",
    routing_key="sentiment_collection_report_in_q",
    candidates=CANDIDATES / "sync_post_collection_sentiment_report_path.sql",
    id_column="collection_id",
    further_keys=("news_at",),
    payload={"collectionId": Column("collection_id"), "collectionType": "POST"},
    order="news_at",
    limit=250,
    cool_down=timedelta(days=15),
)

with DagDeclaration(
    dag_id="sync_post_collection_sentiment_report_path",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("collections", "reports"),
    params=message_params(sentiment_report),
    documentation=Documentation(
        purpose="""Order sentiment reports for the post collections of chosen partners. A collection is ordered when
        it has comments of the last two weeks, and again when there are newer ones; the longest waiting comes first.""",
        inputs="""Seed `dbt.comment_partners` (empty: nothing to do), `dbt.stg_coffee_post_collection`,
        `dbt.stg_coffee_post_collection_item`, `_e.post_activity_log_events`, and `stir.published_messages`.""",
        outputs="""One persistent message per collection to queue `sentiment_collection_report_in_q`: `collectionId`,
        `collectionType` (POST).""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(sentiment_report)


keyword_report = MessageSource(
    name="sync_keyword_collection_report",
    exchange="",
    routing_key="keyword_collection_q",
    candidates=CANDIDATES / "sync_keyword_collection_report.sql",
    id_column="id",
    variables=(KEYWORD_JOB_PREFIX,),
    payload={
        "job_id": Column("job_id"),
        "platform": Column("platform"),
        "keywords": Column("keywords"),
        "start_date": Column("start_date"),
        "end_date": Column("end_date"),
    },
    order="created_at",
    limit=250,
    cool_down=timedelta(days=1),
)

with DagDeclaration(
    dag_id="sync_keyword_collection_report",
    kind=Kind.MESSAGE_PER_ROW,
    schedule="0 */3 * * *",
    pool=POOL,
    tags=("collections", "reports"),
    params=message_params(keyword_report),
    documentation=Documentation(
        purpose="""Order the reports of keyword collections that have none two hours after they were made. A report is
        ordered once a day until it exists, the oldest collection first.""",
        inputs="""`dbt.stg_coffee_keyword_collection`, Variable `keyword_job_prefix`, and `stir.published_messages` for
        the cool-down.""",
        outputs="""One persistent message per collection to queue `keyword_collection_q`: `job_id`, `platform`,
        `keywords`, `start_date` and `end_date` (YYYY-MM-DD).""",
        on_failure=ON_FAILURE,
    ),
).dag():
    publish_messages(keyword_report)
