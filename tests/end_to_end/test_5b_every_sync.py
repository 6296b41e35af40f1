"""Every sync publishes its table: what the product reads is what the mart holds.

Rows, the sums of every column, and so many rows value by value.
"""

from __future__ import annotations

from contextlib import closing

import pytest
from dag_sweep import Sweep, described, succeeded
from running_platform import RunningPlatform
from stir.serving.targets import TARGETS
from stir.serving.verify import compare
from swept_dags import SYNCS

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]

SAMPLE = 1_000


@pytest.mark.parametrize("dag_id", SYNCS)
def test_a_sync_publishes_its_table(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    environment, database = ("staging", "serving_staging") if dag_id.endswith("_staging") else ("prod", "serving")
    published = platform.serving(
        f"select action, rows, target from serving_ledger where dag_id = '{dag_id}' and run_id = '{outcome.run_id}'",
        database,
    )
    rows = platform.serving(f"select count(*) from {SYNCS[dag_id]}", database)[0][0]
    assert published == [("publish", rows, SYNCS[dag_id])], described(platform, dag_id, outcome)
    target = TARGETS[SYNCS[dag_id]].in_environment(environment)
    with closing(platform.postgres(database)) as connection:
        found = compare(target, platform.clickhouse, connection, SAMPLE)
    assert found.differences == []
    assert found.rows == rows > 0
    assert 0 < found.sampled <= SAMPLE
    assert found.sampled == min(rows, SAMPLE) or target.keep
