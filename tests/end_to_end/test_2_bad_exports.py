"""An export that must not go live: the run ends with one alert and the product's table stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from running_platform import RunningPlatform, wait_until

from devstack.settings import EXPORT_BUCKET

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

DAG = "sync_leaderboard_prod"
POOL, POOL_SLOTS = "serving", 2
Untouched = Callable[[], AbstractContextManager[None]]
OneAlert = Callable[[], AbstractContextManager[list[str]]]


@contextmanager
def empty_mart(platform: RunningPlatform) -> Iterator[None]:
    """`mart_leaderboard` without a row; it gets its rows back afterwards."""
    saved = "dbt.mart_leaderboard_saved_by_test"
    platform.clickhouse(
        f"create table {saved} engine = MergeTree order by tuple() as select * from dbt.mart_leaderboard"
    )
    platform.clickhouse("truncate table dbt.mart_leaderboard")
    try:
        yield
    finally:
        platform.clickhouse(f"insert into dbt.mart_leaderboard select * from {saved}")
        platform.clickhouse(f"drop table {saved}")


def test_an_export_of_zero_rows_is_refused_and_one_alert_says_so(
    platform: RunningPlatform, untouched: Untouched, one_alert: OneAlert
) -> None:
    before = len(platform.alerts())
    with untouched(), one_alert() as alerts, empty_mart(platform):
        run_id, state = platform.api.run(DAG, timeout=120)
        assert state == "failed"
        states = {task.task_id: task.state for task in platform.api.tasks(DAG, run_id)}
        assert states["manifest"] == "failed"
        assert states["fetch"] == states["load"] == states["swap"] == "upstream_failed"
        wait_until(lambda: len(platform.alerts()) > before, 20, "an alert")
    for part in (f"*{DAG}* / *manifest* failed", run_id, "dbt.mart_leaderboard is empty: 0 rows exported"):
        assert part in alerts[0]


def test_an_object_cut_short_after_its_manifest_is_not_loaded(
    platform: RunningPlatform, untouched: Untouched, one_alert: OneAlert
) -> None:
    with untouched(), one_alert() as alerts:
        before = len(platform.alerts())
        with platform.run(DAG) as run_id:
            platform.wait_for_task(DAG, run_id, "manifest", "queued", "running")
            platform.api.set_pool_slots(POOL, 0)  # the manifest goes on, the fetch does not start
            try:
                wait_until(
                    lambda: platform.task_state(DAG, run_id, "manifest") == "success", 60, "the manifest is made"
                )
                key = platform.api.xcom(DAG, run_id, "manifest")["key"]
                assert platform.task_state(DAG, run_id, "fetch") in (None, "scheduled")
                s3 = platform.services["s3"].client()
                whole = s3.get_object(Bucket=EXPORT_BUCKET, Key=key)["Body"].read()
                s3.put_object(Bucket=EXPORT_BUCKET, Key=key, Body=whole[: len(whole) // 2])
            finally:
                platform.api.set_pool_slots(POOL, POOL_SLOTS)

            for attempt in (1, 2):
                platform.wait_for_task(DAG, run_id, "fetch", "up_for_retry")
                refusal = f"object has {len(whole) // 2} bytes, manifest says {len(whole)}"
                assert refusal in platform.api.log(DAG, run_id, "fetch", attempt)
                assert len(platform.alerts()) == before, "no alert while retries remain"
                platform.let_the_back_off_pass(run_id, "fetch")
                wait_until(lambda: platform.task_state(DAG, run_id, "fetch") != "up_for_retry", 30, "the retry starts")
            assert platform.api.wait(DAG, run_id, 60) == "failed"
            wait_until(lambda: len(platform.alerts()) > before, 20, "an alert")
    for part in (f"*{DAG}* / *fetch* failed", run_id, "try 3 of 3", "exit status = 65"):
        assert part in alerts[0]
