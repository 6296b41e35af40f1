"""DAGs that only people start. They are not part of the schedule."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG  # noqa: F401 -- pre-imported by the dag-processor
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.dbt_manual import FORM, DbtManualOperator

with DagDeclaration(
    dag_id="dbt_manual",
    kind=Kind.DBT,
    schedule=None,
    run_limit=timedelta(hours=6),
    tags=("manual",),
    params=FORM,
    counted=False,
    documentation=Documentation(
        purpose="""Build chosen models now: after a correction, to backfill, or to rebuild an incremental model. The
        form takes what `dbt run` takes. First come the chosen models of the frequent tiers, then those of the others;
        each part waits for its pool, so that no tier builds the same model meanwhile.""",
        inputs="What the chosen models read.",
        outputs="The chosen models in database `dbt`. Deprecated models are built when they are selected.",
        on_failure="""The alert and the last lines of the log name the models that failed and why. A selection that
        matches no model says so. Nothing needs to be cleaned up: correct and trigger it again.""",
    ),
).dag():
    frequent = DbtManualOperator(
        task_id="frequent_tiers",
        tags=(
            "recent_scl",
            "core",
            "post_ranker_partial",
            "collections",
            "staging_collections",
            "account_tracker_stats",
        ),
        pool="dbt_frequent",
    )
    others = DbtManualOperator(
        task_id="other_tiers",
        tags=("hourly", "post_ranker", "daily", "weekly", "gcc_orders", "deprecated"),
        never=("core",),
        pool="dbt_long",
        instead="frequent_tiers",
        trigger_rule="none_failed",
    )
    frequent >> others
