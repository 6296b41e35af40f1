"""DAGs that only people start. They are not part of the schedule."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param  # noqa: F401 -- pre-imported by the dag-processor
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.dbt_manual import FORM, DbtManualOperator
from stir.serving.declaration import MOST_GENERATIONS
from stir.serving.naming import ENVIRONMENTS
from stir.serving.rollback import roll_back_as_asked
from stir.serving.targets import TARGETS

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


with DagDeclaration(
    dag_id="rollback_serving_table",
    kind=Kind.OPERATOR,
    schedule=None,
    run_limit=timedelta(minutes=30),
    tags=("manual", "serving"),
    runbook="serving-sync",
    pool="serving_frequent",
    counted=False,
    params={
        "table": Param("leaderboard", type="string", enum=sorted(TARGETS), description="serving table"),
        "environment": Param("prod", type="string", enum=sorted(ENVIRONMENTS), description="serving database"),
        "generation": Param(
            1,
            type="integer",
            minimum=1,
            maximum=MOST_GENERATIONS,
            description="which previous generation: 1 is the last that was replaced",
        ),
        "accept_fewer_rows": Param(
            False, type="boolean", description="also when it has less than the required share of the live table's rows"
        ),
    },
    documentation=Documentation(
        purpose="""Put a previous generation of a serving table back, in one transaction. Readers see one whole
        generation or the other. Pause the sync of the table first if its mart is wrong: the next run publishes it
        again.""",
        inputs="The table and its previous generations: `<table>_old_bkp`, `<table>_old_bkp_2` and so on.",
        outputs="""The chosen generation is live, the one it replaces is generation 1, and `serving_ledger` has a row
        about it. A second run with generation 1 exchanges them again; clearing or retrying this one does not.""",
        on_failure="""The live table stays as it was. A refusal says why: there is no previous generation, its columns
        differ, its key is not unique, or it has too few rows. A reader who holds the table is named.""",
    ),
).dag():
    PythonOperator(task_id="roll_back", python_callable=roll_back_as_asked)
