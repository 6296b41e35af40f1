"""The one place in which Airflow runs dbt: one tier, one dbt process, by tag.

`DbtTierOperator` is airflow-dbt-python's DbtRunOperator with what a schedule of many tiers needs: leftovers of a
killed run are dropped first, a failure says what failed, the log ends in a table of models, and XCom gets a page
instead of dbt's whole result.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow_dbt_python.operators.dbt import DbtRunOperator

from stir.dag_declaration import REGISTRY
from stir.run_page import left_behind

REPOSITORY = Path(__file__).resolve().parents[2]
ALWAYS_EXCLUDED = "tag:deprecated"
KEPT_APART = ("core", "post_ranker")
"""Tiers whose models no other tier builds, whatever else their models are tagged with."""


def dbt_run(
    tag: str,
    *,
    publishes: Sequence[Asset] = (),
    task_id: str = "dbt_run",
    full_refresh: bool = False,
    **operator: Any,
) -> DbtTierOperator:
    """Task that builds the models of one scheduling tag, except deprecated ones and those of `KEPT_APART`, and the
    seeds that these models read.

    Assets in `publishes` get an event when the tier has succeeded. The DAG's own param `full_refresh`, if it has one
    and it is set, rebuilds incremental models from scratch.
    """
    return DbtTierOperator(
        task_id=task_id,
        select=[f"tag:{tag}", f"+tag:{tag},resource_type:seed"],
        exclude=[ALWAYS_EXCLUDED, *(f"tag:{other}" for other in KEPT_APART if other != tag)],
        full_refresh=full_refresh,
        outlets=list(publishes),
        **operator,
    )


def project_directory() -> str:
    """Folder of the dbt project: DBT_PROJECT_DIR, else `gcc_social` beside the plugins folder."""
    return os.environ.get("DBT_PROJECT_DIR") or str(REPOSITORY / "gcc_social")


class DbtTierOperator(DbtRunOperator):
    """Run the selected models in one dbt process.

    Project, profiles and target come from the environment in dbt's own names (DBT_PROJECT_DIR, DBT_PROFILES_DIR,
    DBT_TARGET, default target `production`); the warehouse's address and password are read by profiles.yml and pass
    through no Airflow field.

    Returns (XCom) the small summary of `stir.dbt_summary.Summary.as_dict`; a run with failed models leaves it too.
    Raises AirflowSkipException in a pause that the DAG declares, AirflowFailException when the selector matches no
    model (a retry cannot help), AirflowException with the names and messages of failed models or the reason why dbt
    could not run at all.
    """

    ui_color = "#ff694a"

    def __init__(self, **operator: Any) -> None:
        project = project_directory()
        operator.setdefault("project_dir", project)
        operator.setdefault("profiles_dir", os.environ.get("DBT_PROFILES_DIR") or project)
        operator.setdefault("target", os.environ.get("DBT_TARGET") or "production")
        operator.setdefault("send_anonymous_usage_stats", False)
        operator.setdefault("use_colors", False)
        operator.setdefault("partial_parse", True)
        super().__init__(**operator)

    @property
    def dbt_hook(self) -> Any:
        if self._dbt_hook is None:
            from stir.dbt_process import TierHook

            self._dbt_hook = TierHook()
        return self._dbt_hook

    def execute(self, context: Any) -> dict[str, Any]:
        from dbt_common.invocation import reset_invocation_id

        from stir.dbt_process import explain
        from stir.dbt_summary import Summary

        self.skip_in_a_pause(context)
        reset_invocation_id()  # of the import, which the scheduler may have done for all tasks
        arguments = dict(vars(self))
        if (context.get("params") or {}).get("full_refresh"):
            arguments["full_refresh"] = True
            self.log.info("full refresh asked for: incremental models are rebuilt from scratch")
        self.log.info("dbt run: target %s, %s", self.target, self.selection)
        try:
            result = self.dbt_hook.run_dbt_task(self.command, artifacts=None, **arguments)
        except Exception as error:
            raise AirflowException(explain(self.dbt_hook.failure or error)) from error
        summary = Summary.of(result.run_results)
        if not summary.selected_a_model:
            raise self.nothing_selected(context)
        self.log.info("%s\n%s", summary.headline, summary.table)
        if not result.success:
            with left_behind(context, summary.as_dict):
                raise AirflowException(summary.failure_text)
        return summary.as_dict()

    def skip_in_a_pause(self, context: Any) -> None:
        """Raise AirflowSkipException in the pause of the DAG. Its first task has looked already, but this one may have
        waited long for a slot of its pool, or be a retry.
        """
        declaration = REGISTRY.get(getattr(context.get("dag"), "dag_id", ""))
        if declaration and declaration.pause and not declaration.pause.check(**context):
            raise AirflowSkipException(f"in the pause from {declaration.pause.hours} UTC: {declaration.pause.reason}")

    @property
    def selection(self) -> str:
        """What is built, in dbt's words."""
        return f"select {' '.join(self.select)}, exclude {' '.join(self.exclude or [])}"

    def nothing_selected(self, context: Any) -> Exception:
        """What to raise when the selection matches no model."""
        return AirflowFailException(
            f"dbt selected no model ({self.selection}): this schedule does nothing. Tag a model or remove the DAG"
        )
