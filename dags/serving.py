"""Tables that the product reads, published from ClickHouse to PostgreSQL by the guarded swap of `stir.serving`.

Not here: `social_profile_core_metrics`, and `collection_post_metrics_summary` every half hour, which the DAGs publish
that build their marts (`transform.py`).
"""

from __future__ import annotations

from datetime import timedelta

# The dag-processor imports these before it forks, but only where it reads them in the DAG file itself.
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator  # noqa: F401
from airflow.providers.ssh.operators.ssh import SSHOperator  # noqa: F401
from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401
from airflow.sdk import DAG
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.serving.declaration import Target
from stir.serving.naming import PRODUCTION, STAGING, Environment
from stir.serving.sync_dag import serving_dag
from stir.serving.targets.collection_hashtag import COLLECTION_HASHTAG
from stir.serving.targets.collection_keyword import COLLECTION_KEYWORD
from stir.serving.targets.collection_post_metrics_summary import COLLECTION_POST_METRICS_SUMMARY
from stir.serving.targets.collection_post_metrics_ts import COLLECTION_POST_METRICS_TS
from stir.serving.targets.genre_overview import GENRE_OVERVIEW
from stir.serving.targets.group_metrics import GROUP_METRICS
from stir.serving.targets.leaderboard import LEADERBOARD
from stir.serving.targets.social_profile_hashtags import SOCIAL_PROFILE_HASHTAGS
from stir.serving.targets.social_profile_time_series import SOCIAL_PROFILE_TIME_SERIES
from stir.serving.targets.trending_content import TRENDING_CONTENT

ON_FAILURE = (
    "The live table stays as it was. A refusal names the guard and by how much it failed: look at the mart first. "
    "A step that broke can be cleared from `export` on. `python -m stir.serving history|rollback|verify <table>` shows "
    "and restores generations. A skipped run is no failure: the log of `freshness` says why nothing was published."
)


def sync(
    dag_id: str,
    target: Target,
    environment: Environment,
    *,
    schedule: str,
    tag: str,
    purpose: str,
    grace: timedelta = timedelta(),
) -> DAG:
    """DAG that publishes one target in one environment. Inputs and outputs are the target's."""
    mart = target.in_environment(environment.name).mart
    tables = ", ".join(f"`{enrichment.table}`" for enrichment in target.enrichments)
    return serving_dag(
        DagDeclaration(
            dag_id=dag_id,
            kind=Kind.SERVING_SYNC,
            schedule=schedule,
            tags=(tag, environment.name),
            pool="serving",
            documentation=Documentation(
                purpose=purpose,
                inputs=f"`{mart}`" + (f"; {tables} of the {environment.name} serving database." if tables else "."),
                outputs=f"Table `{target.name}` of the {environment.name} serving database (previous generation: "
                f"`{target.backup}`), one row in `serving_ledger`.",
                on_failure=ON_FAILURE,
            ),
        ),
        target,
        environment,
        grace=grace,
    )


# Leaderboards and series

sync_leaderboard_prod = sync(
    "sync_leaderboard_prod",
    LEADERBOARD,
    PRODUCTION,
    schedule="15 20 * * *",
    tag="leaderboard",
    purpose="Publishes the leaderboard to the product's database, 75 minutes after dbt_daily begins.",
)

sync_leaderboard_staging = sync(
    "sync_leaderboard_staging",
    LEADERBOARD,
    STAGING,
    schedule="15 20 * * *",
    tag="leaderboard",
    purpose="Publishes the leaderboard to the staging database, by the same declaration as production.",
)

sync_time_series_prod = sync(
    "sync_time_series_prod",
    SOCIAL_PROFILE_TIME_SERIES,
    PRODUCTION,
    schedule="3 3 * * *",
    tag="time-series",
    purpose="Publishes the weekly and monthly series of every profile to the product's database, once a night.",
)

sync_time_series_staging = sync(
    "sync_time_series_staging",
    SOCIAL_PROFILE_TIME_SERIES,
    STAGING,
    schedule="0 4 * * *",
    tag="time-series",
    purpose="Publishes the series to the staging database, an hour after production's turn.",
)

# Genres

sync_genre_overview_prod = sync(
    "sync_genre_overview_prod",
    GENRE_OVERVIEW,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="genre",
    purpose="Publishes the sums per genre and month to the product's database, once dbt_daily has built them.",
)

sync_genre_overview_staging = sync(
    "sync_genre_overview_staging",
    GENRE_OVERVIEW,
    STAGING,
    schedule="0 0 * * *",
    tag="genre",
    purpose="Publishes the sums per genre and month to the staging database.",
)

sync_trending_content_prod = sync(
    "sync_trending_content_prod",
    TRENDING_CONTENT,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="genre",
    purpose="Publishes the most seen reels and videos to the product's database, once dbt_daily has ranked them.",
)

sync_trending_content_staging = sync(
    "sync_trending_content_staging",
    TRENDING_CONTENT,
    STAGING,
    schedule="0 4 * * *",
    tag="genre",
    purpose="Publishes the most seen reels and videos to the staging database.",
)

# Collections

sync_collection_post_summary_prod = sync(
    "sync_collection_post_summary_prod",
    COLLECTION_POST_METRICS_SUMMARY,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="collections",
    purpose="""Makes good once a day for what dbt_collections did not publish. By the same declaration; where the newest
    build of the mart is live already, the run is skipped.""",
    grace=timedelta(minutes=15),
)

sync_collection_post_summary_staging = sync(
    "sync_collection_post_summary_staging",
    COLLECTION_POST_METRICS_SUMMARY,
    STAGING,
    schedule="0 0 * * *",
    tag="collections",
    purpose="""Makes good once a day for what dbt_staging_collections did not publish. By the same declaration; where
    the newest build of the mart is live already, the run is skipped.""",
    grace=timedelta(minutes=15),
)

sync_collection_post_ts_prod = sync(
    "sync_collection_post_ts_prod",
    COLLECTION_POST_METRICS_TS,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="collections",
    purpose="Publishes the daily numbers of every collected post to the product's database.",
)

sync_collection_post_ts_staging = sync(
    "sync_collection_post_ts_staging",
    COLLECTION_POST_METRICS_TS,
    STAGING,
    schedule="0 0 * * *",
    tag="collections",
    purpose="Publishes the daily numbers of every post collected on staging to the staging database.",
)

sync_collection_hashtags_prod = sync(
    "sync_collection_hashtags_prod",
    COLLECTION_HASHTAG,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="collections",
    purpose="Publishes the most used hashtags of every collection to the product's database.",
)

sync_collection_keywords_prod = sync(
    "sync_collection_keywords_prod",
    COLLECTION_KEYWORD,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="collections",
    purpose="Publishes the most used words of every collection's captions to the product's database.",
)

# Profiles

sync_group_metrics_prod = sync(
    "sync_group_metrics_prod",
    GROUP_METRICS,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="profiles",
    purpose="Publishes what is usual in each peer group to the product's database.",
)

sync_hashtags_prod = sync(
    "sync_hashtags_prod",
    SOCIAL_PROFILE_HASHTAGS,
    PRODUCTION,
    schedule="0 0 * * *",
    tag="profiles",
    purpose="""Publishes the hashtags that each profile uses most to the product's database. dbt_weekly builds them, so
    most days the run is skipped.""",
)
