"""Every dbt tier builds its models: the tables behind them are of this run."""

from __future__ import annotations

import re

import pytest
from dag_sweep import Sweep, succeeded
from running_platform import RunningPlatform
from swept_dags import FLOWS, OTHERS, QUEUES, SYNCS, TIERS

from devstack.settings import REPOSITORY
from tests.dags.dag_inventory import SCHEDULE_VARIABLES, SCHEDULES

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]

NODE = re.compile(r"^(\w+) +success +[\d.]+ s\b", re.MULTILINE)
"""A line of the table at the end of a tier's log: what was built."""
SEEDS = {file.stem for file in (REPOSITORY / "gcc_social" / "seeds").rglob("*.csv")}
"""Lists that are loaded once, and again when their files change."""


def test_no_dag_is_left_out(platform: RunningPlatform) -> None:
    here = {*TIERS, *SYNCS, *FLOWS, *QUEUES, *OTHERS, "rollback_serving_table"}
    of_another_test = {"sleeps_beyond_its_limit"}  # its file is gone, Airflow forgets it a while later
    assert here == platform.api.dag_ids() - of_another_test
    assert here - {"rollback_serving_table", "dbt_manual"} == {*SCHEDULES, *SCHEDULE_VARIABLES}


@pytest.mark.parametrize("dag_id", TIERS)
def test_a_tier_builds_its_models(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    built = outcome.returned["dbt_run"]
    assert built["models"] > 0
    assert built["failed"] == []
    assert built["counts"] == {"success": built["models"] + built["seeds"]}
    nodes = set(NODE.findall(platform.api.log(dag_id, outcome.run_id, "dbt_run")))
    models, seeds = nodes - SEEDS, nodes & SEEDS
    assert (len(models), len(seeds)) == (built["models"], built["seeds"])
    assert models - changed_since_the_beginning(platform, sweep) == set()
    assert seeds <= {name for (name,) in platform.clickhouse("select name from system.tables where database = 'dbt'")}


def changed_since_the_beginning(platform: RunningPlatform, sweep: Sweep) -> set[str]:
    """Relations of the dbt database that were created or written since the sweep began."""
    begun = f"toDateTime('{sweep.begun:%Y-%m-%d %H:%M:%S}', 'UTC')"
    written = f"select table from system.parts where database = 'dbt' and modification_time >= {begun}"
    created = f"select name from system.tables where database = 'dbt' and metadata_modification_time >= {begun}"
    return {name for (name,) in platform.clickhouse(f"{created} union distinct {written}")}
