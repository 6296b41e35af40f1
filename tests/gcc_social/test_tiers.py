"""Each tier built over the small world, in the order in which the schedule reaches it, with all of dbt's own tests."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.gcc_social.conftest import Warehouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

TIERS = (
    "core",
    "recent_scl",
    "collections",
    "staging_collections",
    "post_ranker",
    "post_ranker_partial",
    "hourly",
    "account_tracker_stats",
    "daily",
    "weekly",
    "gcc_orders",
)


@pytest.fixture(scope="module")
def built_tiers(small_world: Warehouse) -> Warehouse:
    small_world.drop_models()
    small_world.dbt("seed")
    return small_world


def run_all(warehouse: Warehouse, command: str = "run") -> None:
    """Every tier once; like its DAG, daily ends with the time series anew."""
    for tier in TIERS:
        warehouse.dbt(command, "--selector", tier)
        if tier == "daily":
            warehouse.dbt("run", "--select", "mart_time_series", "--full-refresh")


def test_every_tier_builds_and_again_to_the_same_rows(
    built_tiers: Warehouse, models: Callable[..., list[dict]]
) -> None:
    """On a new warehouse no tier fails for want of a slower one. The second round, with all tests, reads what slower
    tiers have written meanwhile, and its crawl lists the leaderboards of the first, hence once more those; the third
    has the same inputs and the same clock: nothing may differ."""
    run_all(built_tiers)
    run_all(built_tiers, "build")
    built_tiers.dbt("run", "--select", "mart_instagram_tracked_profiles", "mart_youtube_tracked_profiles")
    tables = [model["name"] for model in models() if model["config"]["materialized"] in ("table", "incremental")]
    tables = [name for name in tables if built_tiers.rows(f"exists table dbt.{name}") == [(1,)]]
    assert len(tables) > 110
    before = built_tiers.checksums(tables)
    assert before["stg_beat_profile_log"][0] > 1000
    assert before["mart_leaderboard"][0] > 100
    run_all(built_tiers)
    after = built_tiers.checksums(tables)
    assert {name for name in tables if before[name] != after[name]} == set()


def test_no_temporary_table_stays_behind(built_tiers: Warehouse) -> None:
    assert (
        built_tiers.rows("select name from system.tables where database = 'dbt' and position(name, '__dbt') > 0") == []
    )


def test_descriptions_are_stored_in_the_warehouse(built_tiers: Warehouse) -> None:
    ((comment,),) = built_tiers.rows(
        "select comment from system.columns"
        " where database = 'dbt' and table = 'mart_instagram_account_summary' and name = 'avg_er'"
    )
    assert "Engagement per follower" in comment


def test_the_documentation_knows_every_table(built_tiers: Warehouse, models: Callable[..., list[dict]]) -> None:
    built_tiers.dbt("docs", "generate")
    catalog = json.loads((built_tiers.project.target / "catalog.json").read_text())
    documented = {node["metadata"]["name"]: set(node["columns"]) for node in catalog["nodes"].values()}
    unscheduled = {model["name"] for model in models("deprecated")}
    assert {model["name"] for model in models()} - unscheduled <= set(documented)


def test_columns_are_those_of_the_documentation_in_its_order(
    built_tiers: Warehouse, models: Callable[..., list[dict]]
) -> None:
    """Exports and readers by position rely on names, types and order, also of marts without a contract."""
    real: dict[str, list[tuple[str, str]]] = {}
    for table, name, column_type in built_tiers.rows(
        "select table, name, type from system.columns where database = 'dbt' order by table, position"
    ):
        real.setdefault(table, []).append((name, column_type))
    marts = [model for model in models() if model["name"].startswith("mart_") and model["name"] in real]
    assert len(marts) > 75
    for model in marts:
        described = [(column["name"], column["data_type"]) for column in model["columns"].values()]
        assert real[model["name"]] == described, model["name"]
