"""dbt tiers: when each group of models is built. What a number means stands in `gcc_social`."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator  # noqa: F401 -- pre-imported
from airflow.providers.ssh.operators.ssh import SSHOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, Param
from stir.assets import LEADERBOARD, POST_STATISTICS, SCRAPE_REQUESTS
from stir.dag_declaration import REGISTRY, DagDeclaration, Documentation, Kind
from stir.dbt_run import DbtTierOperator, dbt_run
from stir.serving.naming import PRODUCTION, STAGING
from stir.serving.sync_dag import build_and_publish
from stir.serving.targets.collection_post_metrics_summary import COLLECTION_POST_METRICS_SUMMARY
from stir.serving.targets.social_profile_core_metrics import SOCIAL_PROFILE_CORE_METRICS
from stir.time_guards import EVENING_PAUSE, AfterRunOf, DailyPause

FREQUENT, LONG = "dbt_frequent", "dbt_long"
PUBLISHING = "serving_frequent"
FULL_REFRESH = {"full_refresh": Param(False, type="boolean", description="rebuild incremental models from scratch")}
ON_FAILURE = """
The alert and the last lines of the task's log name the models that failed and why; models that depend on them were
skipped, all others are built. Readers keep the last good version of every table, since dbt swaps a table in only when
it is complete. If the message says that the warehouse does not answer, look at ClickHouse; the next run heals the
rest. Otherwise correct the model and clear the task. A run that was killed needs nothing: the next one drops what it
left behind. Where the run ends by publishing a table (tasks from `freshness` on), it does so if that table's own mart
was built, and ends as failed at `every_model`; `docs/runbooks/serving-sync.md` goes through its steps.
"""


def tier(
    dag_id: str,
    *,
    tag: str,
    schedule: str,
    limit: int,
    pool: str,
    purpose: str,
    inputs: str,
    outputs: str,
    pause: DailyPause | None = None,
) -> DAG:
    """DAG of one tier. `limit` is the run limit in minutes."""
    return DagDeclaration(
        dag_id=dag_id,
        kind=Kind.DBT,
        schedule=schedule,
        pause=pause,
        run_limit=timedelta(minutes=limit),
        pool=pool,
        tags=(f"dbt:{tag}",),
        params=FULL_REFRESH,
        documentation=Documentation(purpose=purpose, inputs=inputs, outputs=outputs, on_failure=ON_FAILURE),
    ).dag()


def outside_its_pause(dag: DAG) -> ShortCircuitOperator:
    """The first task of a DAG that declares a pause."""
    pause = REGISTRY[dag.dag_id].pause
    return ShortCircuitOperator(task_id="outside_evening_pause", python_callable=pause.check, pool="default_pool")


with tier(
    "dbt_core",
    tag="core",
    schedule="*/15 * * * *",
    limit=60,
    pool=FREQUENT,
    purpose="""Build what a profile page shows: accounts, posts, their logs, core metrics and time series. Follower
    counts and engagement of the last quarter of an hour become visible to every later tier, and the core metrics to
    the product.""",
    inputs="`beat_replica` (accounts, posts), `_e.profile_log_events`, `_e.post_log_events`, the accounts' country.",
    outputs="""Models tagged `core` in database `dbt`: the staging models of accounts, posts and logs,
    `mart_profile_core_metrics` with one row per profile, and the rows of `mart_time_series` of accounts with news.
    Table `social_profile_core_metrics` of the product's database.""",
) as dbt_core:
    core = dbt_run("core", priority_weight=10)
    build_and_publish(core, SOCIAL_PROFILE_CORE_METRICS, PRODUCTION, pool=PUBLISHING)


with tier(
    "dbt_recent_scl",
    tag="recent_scl",
    schedule="*/5 * * * *",
    limit=90,
    pool=FREQUENT,
    purpose="""Refresh the snapshot of recent scrape requests. Whoever asks what Beat is doing right now reads this
    table instead of the slower log.""",
    inputs="`beat_replica.recent_scrape_request_log`.",
    outputs="`dbt.stg_beat_recent_scrape_request_log`, and the asset of that name.",
):
    dbt_run("recent_scl", publishes=[SCRAPE_REQUESTS])


with tier(
    "post_ranker_partial",
    tag="post_ranker_partial",
    schedule="*/15 * * * *",
    limit=90,
    pool=FREQUENT,
    purpose="""Refresh post statistics and ranks of accounts that were scraped lately. It runs after dbt_core's run
    of the same quarter of an hour, whose staging models it reads, and goes on without it after ten minutes.""",
    inputs="Staging models of dbt_core.",
    outputs="The six `*_partial` marts of profile_stats.",
):
    after_dbt_core = PythonSensor(
        task_id="after_dbt_core",
        python_callable=AfterRunOf("dbt_core").ready,
        mode="reschedule",
        poke_interval=20,
        timeout=timedelta(minutes=15).total_seconds(),
        pool="default_pool",
    )
    after_dbt_core >> dbt_run("post_ranker_partial")


with tier(
    "post_ranker",
    tag="post_ranker",
    schedule="0 */5 * * *",
    limit=300,
    pool=LONG,
    purpose="Rank every Instagram post and summarise every account, where post_ranker_partial takes recent ones only.",
    inputs="Staging models of dbt_core, historical posts of `vidooly`.",
    outputs="The profile_stats marts, and the asset `mart_instagram_account_summary`.",
):
    dbt_run("post_ranker", publishes=[POST_STATISTICS])


with tier(
    "dbt_hourly",
    tag="hourly",
    schedule="0 1-23/2 * * *",
    pause=EVENING_PAUSE,
    limit=180,
    pool=LONG,
    purpose="Build discovery, audience and insights: accounts with their links, peer groups and grades.",
    inputs="""`beat_replica`, `coffee_replica`, `campaign_replica`, `vidooly`, `ds`, `_e`; marts of post_ranker,
    dbt_collections, dbt_daily and dbt_weekly.""",
    outputs="Models tagged `hourly` in database `dbt`.",
) as dbt_hourly:
    outside_its_pause(dbt_hourly) >> dbt_run("hourly")


with tier(
    "dbt_collections",
    tag="collections",
    schedule="*/30 * * * *",
    pause=EVENING_PAUSE,
    limit=180,
    pool=FREQUENT,
    purpose="""Build collections and their posts, from which the scrape requests for collection posts are chosen, and
    publish the posts' latest numbers.""",
    inputs="`coffee_replica`, staging models of dbt_core; accounts, collections and items of the product's database.",
    outputs="""Models tagged `collections` in database `dbt`. Table `collection_post_metrics_summary` of the product's
    database.""",
) as dbt_collections:
    collections = dbt_run("collections")
    build_and_publish(collections, COLLECTION_POST_METRICS_SUMMARY, PRODUCTION, pool=PUBLISHING)
    outside_its_pause(dbt_collections) >> collections


with tier(
    "dbt_staging_collections",
    tag="staging_collections",
    schedule="*/30 * * * *",
    limit=180,
    pool=FREQUENT,
    purpose="Build the collections of the staging product and publish their posts, by the same rules as production's.",
    inputs="`coffee_stage`, staging models of dbt_core; accounts, collections and items of the staging database.",
    outputs="""Models tagged `staging_collections` in database `dbt`. Table `collection_post_metrics_summary` of the
    staging database.""",
) as dbt_staging_collections:
    staging_collections = dbt_run("staging_collections")
    build_and_publish(staging_collections, COLLECTION_POST_METRICS_SUMMARY, STAGING, pool=PUBLISHING)


with tier(
    "refresh_account_tracker_stats",
    tag="account_tracker_stats",
    schedule="0 * * * *",
    limit=40,
    pool=FREQUENT,
    purpose="""Decide which profiles and channels are followed closely: those in profile lists, on leaderboards, in
    campaigns and in hand-kept lists, with how often each is due. The scrape requests of both platforms choose from
    it.""",
    inputs="The scrape request log, `coffee_replica`, `identity_replica`, leaderboards of dbt_daily.",
    outputs="`mart_instagram_tracked_profiles`, `mart_youtube_tracked_profiles` and their staging models.",
):
    dbt_run("account_tracker_stats")


with tier(
    "dbt_gcc_orders",
    tag="gcc_orders",
    schedule="0 0 * * *",
    limit=90,
    pool=LONG,
    purpose="Turn the shops' orders into one row per order with its state, without buyers' data.",
    inputs="`stg_beat_order` of dbt_hourly.",
    outputs="`mart_gcc_orders`.",
):
    dbt_run("gcc_orders")


with tier(
    "dbt_weekly",
    tag="weekly",
    schedule="0 6 */7 * *",
    limit=360,
    pool=LONG,
    purpose="""Build what changes slowly and reads much: hashtags, tags and places of posts, languages of captions,
    phone numbers. It runs on days 1, 8, 15, 22 and 29 of a month.""",
    inputs="Staging models of dbt_core, accounts of dbt_hourly, `_e.post_log_events`, `_e.profile_log_events`.",
    outputs="Models tagged `weekly` in database `dbt`.",
):
    dbt_run("weekly")


with tier(
    "dbt_daily",
    tag="daily",
    schedule="0 19 * * *",
    limit=360,
    pool=LONG,
    purpose="""Build the leaderboards: monthly ranks of Instagram and YouTube accounts and of creators across platforms.
    At the end rebuild `mart_time_series` from scratch, for data that came too late for dbt_core's look-back.""",
    inputs="Staging models of dbt_core, accounts of dbt_hourly, marts of post_ranker.",
    outputs="Models tagged `daily` in database `dbt`, the asset `mart_leaderboard`, and `mart_time_series` as a whole.",
):
    # In the pool of dbt_core, which appends to the same table: its one slot keeps the two apart.
    refresh_time_series = DbtTierOperator(
        task_id="refresh_time_series", select=["mart_time_series"], full_refresh=True, pool=FREQUENT
    )
    dbt_run("daily", publishes=[LEADERBOARD]) >> refresh_time_series
