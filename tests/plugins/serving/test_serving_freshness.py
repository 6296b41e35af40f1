"""Whether a run goes on: only with a mart that is newer than what is live, and that nobody is building."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import clickhouse_driver
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException
from stir.serving.__main__ import main
from stir.serving.export import build_statement
from stir.serving.freshness import look
from stir.serving.targets import TARGETS

pytestmark = pytest.mark.integration


def freshness(publishing, **how):
    with closing(publishing.connect()) as connection:
        return look(publishing.target, publishing.clickhouse.execute, connection, **how)


@pytest.fixture
def live(publishing):
    publishing.fill(10)
    publishing.run()
    return publishing


def test_first_publication_goes_on(publishing):
    publishing.fill(5)
    found = freshness(publishing)
    assert found.ready
    assert "nothing is published yet" in found.reason


def test_empty_mart_is_no_first_publication(publishing):
    publishing.fill(0)
    found = freshness(publishing, by_hand=True)
    assert not found.ready
    assert "has no rows, and nothing was published yet" in found.reason


def test_unchanged_mart_waits_unless_a_person_started_the_run(live):
    found = freshness(live)
    assert not found.ready
    assert "was not rebuilt since" in found.reason
    assert "published by sync_leaderboard_prod" in found.reason
    assert freshness(live, by_hand=True).ready


def test_rebuilt_mart_goes_on(live):
    live.fill(12)
    assert freshness(live).ready, "two builds in one second too"


def test_build_that_was_rolled_back_is_not_published_again_by_the_clock(live):
    live.fill(12)
    live.run()
    assert main(["rollback", "leaderboard"]) == 0
    found = freshness(live)
    assert not found.ready
    assert "was not rebuilt since leaderboard was rolled back from this build" in found.reason
    assert freshness(live, by_hand=True).ready
    assert main(["rollback", "leaderboard"]) == 0
    assert "that build is live" in freshness(live).reason, "the rollback was taken back"
    assert main(["rollback", "leaderboard"]) == 0
    live.fill(13)
    assert freshness(live).ready


def test_ledger_of_an_earlier_version_knows_times_only(live):
    live.query("update serving_ledger set mart_build = null")
    assert not freshness(live).ready
    time.sleep(1.1)
    live.fill(12)
    assert freshness(live).ready


def test_new_build_is_left_to_its_own_dag_for_a_while(publishing):
    publishing.fill(5)
    ((_, built_at),) = publishing.clickhouse.execute(build_statement(publishing.target))
    minute, hour = (datetime.fromtimestamp(built_at, UTC) + timedelta(minutes=minutes) for minutes in (1, 60))
    found = freshness(publishing, grace=timedelta(minutes=15), now=minute)
    assert not found.ready
    assert "the DAG that built it has 0:14:00 left" in found.reason
    assert freshness(publishing, grace=timedelta(minutes=15), now=hour).ready
    assert freshness(publishing, grace=timedelta(minutes=15), now=minute, by_hand=True).ready


def test_mart_that_is_gone_fails_and_one_that_never_was_waits(live):
    live.clickhouse.execute("drop table dbt.mart_leaderboard sync")
    with pytest.raises(Exception, match="mart_leaderboard is gone; leaderboard was published from it before"):
        freshness(live)
    live.query("truncate serving_ledger")
    found = freshness(live)
    assert not found.ready
    assert "was never built" in found.reason


def test_mart_that_dbt_builds_right_now_is_waited_for(live, clickhouse_service):
    """A statement with the comment that dbt puts in front of each; by hand or not."""
    at = clickhouse_service.endpoint
    dbt = clickhouse_driver.Client(at.host, port=at.native_port, user=at.user, password=at.password)
    comment = '/* {"app": "dbt", "node_id": "model.gcc_social.%s"} */ select sleepEachRow(1) from numbers(3)'
    for name, ready in (("mart_leaderboard", False), ("mart_leaderboard_other", True)):
        building = threading.Thread(target=dbt.execute, args=(comment % name,))
        building.start()
        time.sleep(0.7)
        found = freshness(live, by_hand=True)
        building.join()
        assert found.ready is ready
        assert ("is being rebuilt" in found.reason) is not ready
    dbt.disconnect()


@pytest.fixture
def time_series(publishing):
    """A small mart that dbt adds to, and a ledger row that says its present build is live."""
    publishing.target = TARGETS["social_profile_time_series"]
    run = publishing.clickhouse.execute
    run("drop table if exists dbt.mart_time_series sync")
    run(
        "create table dbt.mart_time_series (date Date, n Int64) "
        "engine = ReplacingMergeTree order by n partition by toYear(date)"
    )
    yield publishing
    run("drop table dbt.mart_time_series sync")


def test_added_rows_are_another_build_of_a_mart_that_dbt_adds_to_and_merges_are_not(time_series):
    run, add = time_series.clickhouse.execute, "insert into dbt.mart_time_series values ('2026-01-01', 1)"

    def build():
        return run(build_statement(time_series.target))[0]

    empty = build()
    run(add)
    first = build()
    run(add)
    second = build()
    assert len({empty[0], first[0], second[0]}) == 3
    time_series.query(
        "insert into serving_ledger (target, environment, action, dag_id, run_id, table_oid, mart_built_at, mart_build,"
        f" rows) select '{time_series.target.name}', 'prod', 'publish', 'sync', 'run',"
        f" '{time_series.target.name}'::regclass::oid, to_timestamp({second[1]}), '{second[0]}', 1"
    )
    time.sleep(1.1)  # build times have a resolution of one second
    run("optimize table dbt.mart_time_series final")
    merged = build()
    assert merged[0] == second[0]
    assert merged[1] > second[1]
    assert "was not rebuilt since" in freshness(time_series).reason
    run(add)
    assert freshness(time_series).ready


def gate(publishing, *, waited, run_type="scheduled"):
    """Run the sensor as Airflow does, `waited` seconds after its first look."""
    first = datetime.now(UTC) - timedelta(seconds=waited)
    ti = SimpleNamespace(
        dag_id=publishing.dag.dag_id, run_id="scheduled__1", get_first_reschedule_date=lambda context: first
    )
    task = publishing.dag.get_task("freshness")
    return task.execute({"ti": ti, "dag_run": SimpleNamespace(run_type=run_type)})


def test_gate_passes_waits_and_then_skips_with_the_reason(live):
    with pytest.raises(AirflowRescheduleException):
        gate(live, waited=10)
    with pytest.raises(AirflowSkipException, match=r"nothing is published: dbt.mart_leaderboard was not rebuilt since"):
        gate(live, waited=1801)
    gate(live, waited=0, run_type="manual")
    live.clickhouse.execute("drop table dbt.mart_leaderboard sync")
    with pytest.raises(AirflowFailException, match="is gone"):
        gate(live, waited=0)
    assert live.query("select step, run_id from serving_refusals") == [("freshness", "scheduled__1")]


def test_gate_fails_when_the_table_has_become_older_than_it_may_be(live):
    live.query("update serving_ledger set mart_built_at = mart_built_at - interval '27 hours'")
    with pytest.raises(AirflowSkipException):
        gate(live, waited=1801)
    live.query("update serving_ledger set mart_built_at = mart_built_at - interval '1 hour'")
    with pytest.raises(AirflowFailException, match=r"was not rebuilt since .* and may be 28 hours old"):
        gate(live, waited=1801)


def test_export_of_a_mart_that_was_rebuilt_meanwhile_fails_so_that_it_is_tried_again(live):
    publication = live.dag.user_defined_macros["publication"]
    live.clickhouse.execute(publication.note_build_sql())
    live.fill(11)
    with pytest.raises(clickhouse_driver.errors.ServerException, match="was rebuilt while it was exported"):
        live.clickhouse.execute(publication.source_state_sql(live.new_run()))
