"""Models built by hand never meet a tier that builds them too."""

from __future__ import annotations

from typing import Any

import pytest
from stir.dbt_manual import DbtManualOperator
from stir.dbt_run import DbtTierOperator

pytestmark = pytest.mark.unit


def tasks(dag_bag: Any, kind: type) -> list[Any]:
    return [task for dag in dag_bag.dags.values() for task in dag.tasks if type(task) is kind]


def test_each_part_has_the_pool_of_the_tiers_whose_models_it_builds(dag_bag: Any) -> None:
    pool_of_tag = {
        item.removeprefix("tag:"): tier.pool
        for tier in tasks(dag_bag, DbtTierOperator)
        for item in tier.select
        if item.startswith("tag:")
    }
    parts = tasks(dag_bag, DbtManualOperator)
    assert {part.task_id for part in parts} == {"frequent_tiers", "other_tiers"}
    by_hand = {tag: part.pool for part in parts for tag in part.tags if tag != "deprecated"}
    assert {tag: by_hand.get(tag) for tag in pool_of_tag} == pool_of_tag


def test_what_two_tiers_build_is_left_to_the_pool_of_both(dag_bag: Any) -> None:
    """mart_time_series is tagged core and daily, and both of its tasks run in the pool of core."""
    builders = [task for task in tasks(dag_bag, DbtTierOperator) if task.select == ["mart_time_series"]]
    others = next(part for part in tasks(dag_bag, DbtManualOperator) if "daily" in part.tags)
    assert [task.pool for task in builders] == ["dbt_frequent"]
    assert others.pool == "dbt_long"
    assert others.never == ("core",)


def test_the_form_asks_for_a_selection(dag_bag: Any) -> None:
    dag = dag_bag.dags["dbt_manual"]
    assert dag.schedule is None
    assert set(dag.params) == {"select", "exclude", "vars", "full_refresh"}
    with pytest.raises(ValueError, match=r"non-empty|too short"):
        dag.params.get_param("select").resolve("")
