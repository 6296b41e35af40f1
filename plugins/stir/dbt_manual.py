"""dbt started by hand on chosen models, never beside a tier that builds the same ones.

Tiers share two pools of one slot each, so two tasks of one pool never run at once. A run by hand is therefore two
tasks, one in each pool, and each builds of the chosen models only those that the tiers of its pool build.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stir.dbt_run import DbtTierOperator

FORM = {
    "select": Param(
        "",
        type="string",
        minLength=1,
        title="Select",
        description="dbt selection, as after --select: +mart_leaderboard, tag:daily, path:marts/genre",
    ),
    "exclude": Param("", type="string", title="Exclude", description="dbt selection to leave out, as after --exclude"),
    "vars": Param({}, type="object", title="Vars", description='e.g. {"run_time": "2026-01-31 12:00:00"}'),
    "full_refresh": Param(
        False, type="boolean", title="Full refresh", description="rebuild incremental models from scratch"
    ),
}
"""Fields of the trigger form."""


class DbtManualOperator(DbtTierOperator):
    """Build the models of the form's selection that carry one of `tags` and none of `never`, with the seeds that they
    read.

    Without such a model the task is skipped; if the task `instead` found none either, it fails, because then the
    selection matches nothing at all.
    """

    def __init__(
        self, *, tags: tuple[str, ...], never: tuple[str, ...] = (), instead: str | None = None, **operator: Any
    ) -> None:
        super().__init__(**operator)
        self.tags, self.never, self.instead = tags, never, instead

    def execute(self, context: Any) -> dict[str, Any]:
        form = context["params"]
        chosen = [f"{item},tag:{tag}" for item in form["select"].split() for tag in self.tags]
        self.select = [*chosen, *(f"+{item},resource_type:seed" for item in form["select"].split())]
        self.exclude = [*form["exclude"].split(), *(f"tag:{tag}" for tag in self.never)]
        self.vars = dict(form["vars"] or {})
        return super().execute(context)

    def nothing_selected(self, context: Any) -> Exception:
        """No model of these tags is what a selection usually finds in one of the two tasks."""
        if self.instead and not context["ti"].xcom_pull(task_ids=self.instead):
            return AirflowFailException(
                f"the selection {context['params']['select']!r} without {context['params']['exclude']!r} matches no "
                f"model: try it with `dbt ls --project-dir gcc_social --select ...`"
            )
        return AirflowSkipException(f"no selected model is tagged {', '.join(self.tags)}")
