"""Every schedule is honest: each tier's selector matches models, and each model belongs to exactly one tier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stir.dag_declaration import REGISTRY
from stir.dbt_run import DbtTierOperator
from stir.time_guards import DailyPause

pytestmark = pytest.mark.unit
PROJECT = Path(__file__).parents[2] / "gcc_social"

TWICE = {"mart_time_series": ["dbt_core", "dbt_daily"]}
"""Built by dbt_core and rebuilt once a day by dbt_daily."""

SCHEDULING_TAGS = {
    "core", "recent_scl", "post_ranker_partial", "collections", "staging_collections", "hourly", "post_ranker",
    "account_tracker_stats", "daily", "weekly", "gcc_orders",
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Tags of each model, from dbt's own manifest."""
    target = tmp_path_factory.mktemp("target")
    dbt = [str(Path(sys.executable).parent / "dbt"), "--quiet", "parse", "--no-partial-parse"]
    folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", target, "--log-path", target]
    done = subprocess.run(
        [*dbt, *map(str, folders)],
        env={**os.environ, "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": "not used: parsing connects to nothing"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    nodes = json.loads((target / "manifest.json").read_text())["nodes"].values()
    return {
        node["name"]: set(node["tags"])
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral"
    }


Tiers = dict[str, list[DbtTierOperator]]


@pytest.fixture(scope="module")
def tiers(dag_bag: Any) -> Tiers:
    """Every scheduled dbt task by DAG."""
    found = {
        dag_id: [task for task in dag.tasks if isinstance(task, DbtTierOperator)]
        for dag_id, dag in dag_bag.dags.items()
        if REGISTRY[dag_id].counted
    }
    return {dag_id: tasks for dag_id, tasks in found.items() if tasks}


def selected(operator: DbtTierOperator, models: dict[str, set[str]]) -> set[str]:
    """Models of one task; selectors are plain tags and names, which this reads as dbt does."""
    chosen, excluded = (
        {item.removeprefix("tag:") for item in items or () if item.startswith("tag:")}
        for items in (operator.select, operator.exclude)
    )
    return {name for name, tags in models.items() if (tags & chosen and not tags & excluded) or name in operator.select}


def test_every_task_builds_something(tiers: Tiers, models: dict[str, set[str]]) -> None:
    empty = [
        f"{dag_id}.{task.task_id}" for dag_id, tasks in tiers.items() for task in tasks if not selected(task, models)
    ]
    assert empty == []


def test_every_model_is_built_by_exactly_one_tier(tiers: Tiers, models: dict[str, set[str]]) -> None:
    builders: dict[str, list[str]] = {
        name: [dag_id for dag_id, tasks in tiers.items() for task in tasks if name in selected(task, models)]
        for name, tags in models.items()
        if "deprecated" not in tags
    }
    assert {name: sorted(builders[name]) for name in TWICE} == TWICE
    wrong = {name: dags for name, dags in builders.items() if len(dags) != 1 and name not in TWICE}
    assert wrong == {}


def test_daily_ends_with_a_full_refresh_of_the_time_series_and_never_beside_core(tiers: Tiers) -> None:
    """Late data older than the look-back arrives by it; a run of dbt_core meanwhile would drop the table it builds."""
    (core,) = tiers["dbt_core"]
    tasks = {task.task_id: task for task in tiers["dbt_daily"]}
    daily, refresh = tasks["dbt_run"], tasks["refresh_time_series"]
    assert refresh.select == ["mart_time_series"]
    assert refresh.full_refresh
    assert not daily.full_refresh
    assert refresh.upstream_task_ids == {daily.task_id}
    assert refresh.downstream_task_ids == set()
    assert refresh.pool == core.pool
    assert json.loads((PROJECT.parent / "dags" / "pools.json").read_text())[core.pool]["slots"] == 1


def test_every_model_has_one_scheduling_tag(models: dict[str, set[str]]) -> None:
    wrong = {
        name: tags
        for name, tags in models.items()
        if len(tags & SCHEDULING_TAGS) != 1 and name not in TWICE and "deprecated" not in tags
    }
    assert wrong == {}


def test_published_assets_are_models_of_the_tier_that_publishes_them(tiers: Tiers, models: dict[str, set[str]]) -> None:
    published = {asset.name: task for tasks in tiers.values() for task in tasks for asset in task.outlets}
    assert "mart_leaderboard" in published
    for name, task in published.items():
        assert name in selected(task, models), f"{task.dag_id} publishes {name} but does not build it"


def test_a_declared_pause_is_looked_at_before_anything_else(dag_bag: Any) -> None:
    paused = {dag_id for dag_id in dag_bag.dags if REGISTRY[dag_id].pause}
    assert paused == {"dbt_hourly", "dbt_collections"}
    for dag_id, dag in dag_bag.dags.items():
        looks = [task for task in dag.tasks if isinstance(getattr(call_of(task), "__self__", None), DailyPause)]
        assert [call_of(task) for task in looks] == ([REGISTRY[dag_id].pause.check] if dag_id in paused else []), dag_id
        assert not looks or looks == list(dag.roots), f"{dag_id}: something starts beside the look at the pause"


def call_of(task: Any) -> Any:
    return getattr(task, "python_callable", None)
