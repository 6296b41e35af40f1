"""Which DAG publishes which table where, and how the publishing half sits in the DAGs that build their mart."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from stir.dag_declaration import REGISTRY, Kind
from stir.dbt_run import DbtTierOperator
from stir.serving.targets import TARGETS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
STEPS = ["freshness", "export", "manifest", "fetch", "load", "enrich", "guard", "index", "swap", "vacuum", "ledger"]

PUBLISHES = {
    "sync_collection_post_summary_prod": ("collection_post_metrics_summary", "prod", "mart_collection_post"),
    "sync_collection_post_summary_staging": (
        *("collection_post_metrics_summary", "staging", "mart_staging_collection_post"),
    ),
    "sync_collection_post_ts_prod": ("collection_post_metrics_ts", "prod", "mart_collection_post_ts"),
    "sync_collection_post_ts_staging": ("collection_post_metrics_ts", "staging", "mart_staging_collection_post_ts"),
    "sync_collection_hashtags_prod": ("collection_hashtag", "prod", "mart_collection_post"),
    "sync_collection_keywords_prod": ("collection_keyword", "prod", "mart_collection_post"),
    "sync_leaderboard_prod": ("leaderboard", "prod", "mart_leaderboard"),
    "sync_leaderboard_staging": ("leaderboard", "staging", "mart_leaderboard"),
    "sync_time_series_prod": ("social_profile_time_series", "prod", "mart_time_series"),
    "sync_time_series_staging": ("social_profile_time_series", "staging", "mart_time_series"),
    "sync_trending_content_prod": ("trending_content", "prod", "mart_genre_trending_content"),
    "sync_trending_content_staging": ("trending_content", "staging", "mart_genre_trending_content"),
    "sync_genre_overview_prod": ("genre_overview", "prod", "mart_genre_overview"),
    "sync_genre_overview_staging": ("genre_overview", "staging", "mart_genre_overview"),
    "sync_hashtags_prod": ("social_profile_hashtags", "prod", "mart_instagram_hashtags"),
    "sync_group_metrics_prod": ("group_metrics", "prod", "mart_primary_group_metrics"),
    "dbt_core": ("social_profile_core_metrics", "prod", "mart_profile_core_metrics"),
    "dbt_collections": ("collection_post_metrics_summary", "prod", "mart_collection_post"),
    "dbt_staging_collections": ("collection_post_metrics_summary", "staging", "mart_staging_collection_post"),
}
"""DAG: table, environment, mart. On purpose not derived from the declarations."""

CONNECTIONS = {"prod": ("prod_pg", "ssh_prod_pg"), "staging": ("stage_pg", "ssh_stage_pg")}


@pytest.fixture(scope="module")
def publishers(dag_bag: Any) -> dict[str, Any]:
    """DAGs with a publishing half."""
    return {dag_id: dag for dag_id, dag in dag_bag.dags.items() if dag.has_task("swap")}


def publication(dag: Any) -> Any:
    return dag.user_defined_macros["publication"]


def test_each_table_is_published_where_and_from_where_it_should(publishers: dict[str, Any]) -> None:
    found = {
        dag_id: (publication(dag).target.name, publication(dag).environment.name, publication(dag).target.mart_table)
        for dag_id, dag in publishers.items()
    }
    assert found == PUBLISHES
    assert {table for table, environment, _ in found.values() if environment == "prod"} == set(TARGETS)


def test_the_steps_are_a_line_and_the_clean_up_runs_whatever_happened(publishers: dict[str, Any]) -> None:
    for dag_id, dag in publishers.items():
        for before, after in pairwise(STEPS[:-1]):
            assert dag.get_task(after).upstream_task_ids == {before}, dag_id
        assert dag.get_task("ledger").upstream_task_ids == {"swap", "vacuum"}, "it says what went live in either case"
        for cleaning in ("clean_host", "clean_database"):
            task = dag.get_task(cleaning)
            assert task.is_teardown and task.upstream_task_ids == {"ledger"}, dag_id
            assert not task.on_failure_fail_dagrun, dag_id


def test_every_step_goes_to_the_servers_of_its_environment(publishers: dict[str, Any]) -> None:
    for dag_id, dag in publishers.items():
        postgres, ssh = CONNECTIONS[PUBLISHES[dag_id][1]]
        assert {dag.get_task(step).conn_id for step in ("load", "enrich", "index", "vacuum")} == {postgres}
        assert {dag.get_task(step).ssh_conn_id for step in ("fetch", "clean_host")} == {ssh}
        assert publication(dag).environment.postgres == postgres


def test_what_builds_its_mart_publishes_it_afterwards_in_a_pool_of_its_own(publishers: dict[str, Any]) -> None:
    tiers = {dag_id: dag for dag_id, dag in publishers.items() if REGISTRY[dag_id].kind is Kind.DBT}
    assert set(tiers) == {"dbt_core", "dbt_collections", "dbt_staging_collections"}
    for dag_id, dag in tiers.items():
        (building,) = [task for task in dag.tasks if isinstance(task, DbtTierOperator)]
        assert building.downstream_task_ids == {"freshness", "every_model"}, dag_id
        assert dag.get_task("freshness").upstream_task_ids == {building.task_id}, dag_id
        assert dag.get_task("every_model").trigger_rule == "all_success", dag_id
        assert {dag.get_task(step).pool for step in STEPS[1:]} == {"serving_frequent"}, dag_id
        assert building.pool == "dbt_frequent", "publishing must not hold up the next model"


def test_a_daily_twin_leaves_a_new_build_to_the_dag_that_built_it(publishers: dict[str, Any]) -> None:
    patient = {dag_id for dag_id, dag in publishers.items() if dag.get_task("freshness").grace}
    assert patient == {"sync_collection_post_summary_prod", "sync_collection_post_summary_staging"}
    for dag_id in patient:
        gate = publishers[dag_id].get_task("freshness")
        assert timedelta() < gate.grace < timedelta(seconds=gate.timeout)


def test_a_run_of_core_leaves_time_for_the_next(publishers: dict[str, Any]) -> None:
    limits = publication(publishers["dbt_core"]).target.limits
    assert limits.freshness <= 60
    assert max(limits.export, limits.fetch, limits.load, limits.index, limits.swap, limits.vacuum) <= 300


def test_every_serving_table_is_an_exposure_of_the_marts_it_is_made_of(publishers: dict[str, Any]) -> None:
    exposures = {
        entry["name"]: entry
        for path in (ROOT / "gcc_social" / "models").rglob("_exposures.yml")
        for entry in yaml.safe_load(path.read_text())["exposures"]
    }
    marts: dict[str, set[str]] = {}
    for table, _, mart in PUBLISHES.values():
        marts.setdefault(table, set()).add(f"ref('{mart}')")
    assert {name: set(entry["depends_on"]) for name, entry in exposures.items()} == marts
    for dag_id, (table, _, _) in PUBLISHES.items():
        assert dag_id in exposures[table]["description"], f"{dag_id} publishes {table}"


def test_the_rollback_form_offers_every_table(dag_bag: Any) -> None:
    dag = dag_bag.dags["rollback_serving_table"]
    assert dag.schedule is None
    assert not REGISTRY[dag.dag_id].counted
    assert dag.params.get_param("table").schema["enum"] == sorted(TARGETS)
    assert dag.params.get_param("environment").schema["enum"] == ["prod", "staging"]
    assert dag.params["accept_fewer_rows"] is False
    assert dag.params["generation"] == 1


def test_the_clean_up_covers_both_environments(dag_bag: Any) -> None:
    dag = dag_bag.dags["cleanup_serving_artifacts"]
    hosts = {task.ssh_conn_id for task in dag.tasks if hasattr(task, "ssh_conn_id")}
    assert hosts == {"ssh_prod_pg", "ssh_stage_pg"}
    assert {task.task_id for task in dag.tasks} >= {"clean_database_prod", "clean_database_staging"}
    pools = json.loads((ROOT / "dags" / "pools.json").read_text())
    assert pools["serving_frequent"]["slots"] >= 2
