"""Tables that the product reads, published from ClickHouse to PostgreSQL by the guarded swap of `stir.serving`."""

from __future__ import annotations

# The dag-processor imports these before it forks, but only where it reads them in the DAG file itself.
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator  # noqa: F401
from airflow.providers.ssh.operators.ssh import SSHOperator  # noqa: F401
from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401
from airflow.sdk import DAG  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.serving.naming import PRODUCTION, STAGING
from stir.serving.sync_dag import serving_dag
from stir.serving.targets.leaderboard import LEADERBOARD

ON_FAILURE = (
    "The live table stays as it was. A refusal names the guard and by how much it failed: look at the mart first. "
    "A step that broke can be cleared from `export` on. `python -m stir.serving history|rollback|verify <table>` shows "
    "and restores generations."
)

sync_leaderboard_prod = serving_dag(
    DagDeclaration(
        dag_id="sync_leaderboard_prod",
        kind=Kind.SERVING_SYNC,
        schedule="15 20 * * *",
        tags=("leaderboard", "prod"),
        pool="serving",
        documentation=Documentation(
            purpose="Publishes the leaderboard to the product's database, 75 minutes after dbt_daily begins.",
            inputs="`dbt.mart_leaderboard`; `instagram_account` and `youtube_account` of the serving database.",
            outputs="Table `leaderboard` (previous generation: `leaderboard_old_bkp`), one row in `serving_ledger`.",
            on_failure=ON_FAILURE,
        ),
    ),
    LEADERBOARD,
    PRODUCTION,
)

sync_leaderboard_staging = serving_dag(
    DagDeclaration(
        dag_id="sync_leaderboard_staging",
        kind=Kind.SERVING_SYNC,
        schedule="15 20 * * *",
        tags=("leaderboard", "staging"),
        pool="serving",
        documentation=Documentation(
            purpose="Publishes the leaderboard to the staging database, by the same declaration as production.",
            inputs="`dbt.mart_leaderboard`; `instagram_account` and `youtube_account` of the staging database.",
            outputs="Table `leaderboard` (previous generation: `leaderboard_old_bkp`), one row in `serving_ledger`.",
            on_failure=ON_FAILURE,
        ),
    ),
    LEADERBOARD,
    STAGING,
)
