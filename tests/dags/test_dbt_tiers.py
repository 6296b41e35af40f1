"""Every schedule is honest: each tier's selector matches models, and each model belongs to exactly one tier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stir.dbt_run import DbtTierOperator

pytestmark = pytest.mark.unit
PROJECT = Path(__file__).parents[2] / "gcc_social"

TWICE = {"mart_time_series"}
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


@pytest.fixture(scope="module")
def tiers(dag_bag: Any) -> dict[str, DbtTierOperator]:
    """Every dbt task by DAG."""
    return {
        dag_id: task for dag_id, dag in dag_bag.dags.items() for task in dag.tasks if isinstance(task, DbtTierOperator)
    }


def selected(operator: DbtTierOperator, models: dict[str, set[str]]) -> set[str]:
    """Models of one task; selectors are plain tags, which this reads as dbt does."""
    chosen, excluded = (
        {item.removeprefix("tag:") for item in items if item.startswith("tag:")}
        for items in (operator.select, operator.exclude)
    )
    return {name for name, tags in models.items() if tags & chosen and not tags & excluded}


def test_every_tier_builds_something(tiers: dict[str, DbtTierOperator], models: dict[str, set[str]]) -> None:
    empty = [dag_id for dag_id, operator in tiers.items() if not selected(operator, models)]
    assert empty == []


def test_every_model_is_built_by_exactly_one_tier(
    tiers: dict[str, DbtTierOperator], models: dict[str, set[str]]
) -> None:
    builders: dict[str, list[str]] = {
        name: [dag_id for dag_id, operator in tiers.items() if name in selected(operator, models)]
        for name, tags in models.items()
        if "deprecated" not in tags
    }
    wrong = {name: dags for name, dags in builders.items() if len(dags) != 1 and name not in TWICE}
    assert wrong == {}


def test_every_model_has_one_scheduling_tag(models: dict[str, set[str]]) -> None:
    wrong = {
        name: tags
        for name, tags in models.items()
        if len(tags & SCHEDULING_TAGS) != 1 and name not in TWICE and "deprecated" not in tags
    }
    assert wrong == {}


def test_published_assets_are_models_of_the_tier_that_publishes_them(
    tiers: dict[str, DbtTierOperator], models: dict[str, set[str]]
) -> None:
    published = {asset.name: dag_id for dag_id, operator in tiers.items() for asset in operator.outlets}
    assert "mart_leaderboard" in published
    for name, dag_id in published.items():
        assert name in selected(tiers[dag_id], models), f"{dag_id} publishes {name} but does not build it"
