"""What the daily clean-up removes and what it leaves alone; the rollback that a person starts from the UI. Another
process reads the live table all the while (`watched`).
"""

from __future__ import annotations

import json
import os
import time
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from stir.serving import housekeeping
from stir.serving.housekeeping_dag import Housekeeping
from stir.serving.naming import PRODUCTION
from stir.serving.rollback import roll_back_as_asked

pytestmark = pytest.mark.integration

INSTANCE = SimpleNamespace(dag_id="cleanup_serving_artifacts", run_id="scheduled__2026-11-26")


def tag(created: str, target: str = "leaderboard", owner: str = "stir.serving") -> str:
    return json.dumps({"owner": owner, "target": target, "dag": "d", "run": "r", "created": created})


def make(publishing, table: str, comment: str | None) -> None:
    publishing.query(f"create table {table} (note text)")
    if comment:
        publishing.query(f"comment on table {table} is '{comment}'")


def test_abandoned_tables_and_expired_backups_go_and_sizes_are_reported(watched, monkeypatch):
    make(watched, "leaderboard_tmp_aaaaaaaaaa", tag("2026-01-01T00:00:00+00:00"))
    make(watched, "leaderboard_tmp_bbbbbbbbbb", tag("2099-01-01T00:00:00+00:00"))
    make(watched, "leaderboard_tmp_cccccccccc", None)
    make(watched, "group_metrics_raw_aaaaaaaaaa", tag("2026-01-01T00:00:00+00:00", "group_metrics"))
    make(watched, "leaderboard_old_bkp", tag("2026-01-01T00:00:00+00:00"))
    make(watched, "genre_overview_old_bkp", tag("2099-01-01T00:00:00+00:00", "genre_overview"))
    make(watched, "trending_content_old_bkp", tag("2026-01-01T00:00:00+00:00", "trending_content", "somebody"))
    make(watched, "group_metrics_old_bkp", None)
    done = Housekeeping(PRODUCTION).clean_database(INSTANCE)
    assert sorted(done["dropped"]) == [
        "group_metrics_raw_aaaaaaaaaa",
        "leaderboard_old_bkp",
        "leaderboard_tmp_aaaaaaaaaa",
    ]
    left = {name for (name,) in watched.query("select relname from pg_class where relname ~ '_(tmp|old|raw)_'")}
    assert left == {
        "genre_overview_old_bkp",
        "group_metrics_old_bkp",
        "leaderboard_tmp_bbbbbbbbbb",
        "leaderboard_tmp_cccccccccc",
        "trending_content_old_bkp",
    }
    assert done["bytes"]["leaderboard"] > 0
    assert "genre_overview_old_bkp" in done["bytes"]
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_BACKUP_DAYS", "-40000")
    assert Housekeeping(PRODUCTION).clean_database(INSTANCE)["dropped"] == ["genre_overview_old_bkp"]


def test_backup_that_something_depends_on_stays(watched):
    make(watched, "leaderboard_old_bkp", tag("2026-01-01T00:00:00+00:00"))
    watched.query("create view report as select note from leaderboard_old_bkp")
    assert Housekeeping(PRODUCTION).clean_database(INSTANCE)["dropped"] == []
    assert watched.rows("leaderboard_old_bkp") == 0


def test_generation_that_a_swap_puts_there_between_look_and_drop_stays(watched, monkeypatch):
    """The generation that a rollback needs has the name of the expired one by then."""
    watched.fill(100)
    watched.run()
    watched.fill(110)
    watched.run()
    watched.query(f"comment on table leaderboard_old_bkp is '{tag('2026-01-01T00:00:00+00:00')}'")
    look = housekeeping._replaced_before

    def look_then_swap(connection, table, moment):
        found = look(connection, table, moment)
        if found:
            watched.fill(120)
            watched.run()
        return found

    monkeypatch.setattr(housekeeping, "_replaced_before", look_then_swap)
    assert Housekeeping(PRODUCTION).clean_database(INSTANCE)["dropped"] == []
    assert watched.rows() == 120
    assert watched.rows("leaderboard_old_bkp") == 110


def test_abandoned_files_of_every_target_go_and_others_stay(publishing, sshd_service, monkeypatch):
    """Objects cannot be made old, so the limit is brought to now for them in a second pass."""
    names = {
        "leaderboard.prod.old.tsv": True,
        "group_metrics.prod.old.tsv": True,
        "leaderboard.staging.old.tsv": False,
        "leaderboard_export.tsv": False,
    }
    long_ago = time.time() - 5 * 3600
    for name in names:
        (publishing.folder / name).write_text("x")
        os.utime(publishing.folder / name, (long_ago, long_ago))
    young = publishing.folder / "leaderboard.prod.young.tsv"
    young.write_text("x")
    keys = {
        "data-pipeline/prod/leaderboard/a.tsv.zst": True,
        "data-pipeline/prod/unknown/b.tsv.zst": False,
        "data-pipeline/staging/leaderboard/c.tsv.zst": False,
    }
    for entry in publishing.s3.client().list_objects_v2(Bucket="stir-exports").get("Contents", []):
        publishing.s3.client().delete_object(Bucket="stir-exports", Key=entry["Key"])  # of other tests
    for key in keys:
        publishing.s3.client().put_object(Bucket="stir-exports", Key=key, Body=b"x")
    command = Housekeeping(PRODUCTION).sweep_command()
    sshd_service.run(command)
    assert {name: not (publishing.folder / name).exists() for name in names} == names
    assert young.exists()
    listed = publishing.s3.client().list_objects_v2(Bucket="stir-exports")["Contents"]
    assert set(keys) <= {entry["Key"] for entry in listed}, "nothing is four hours old"
    time.sleep(1.1)
    sshd_service.run(command.replace("-240 minutes", "-0 minutes"))
    left = {entry["Key"] for entry in publishing.s3.client().list_objects_v2(Bucket="stir-exports").get("Contents", [])}
    assert {key: key not in left for key in keys} == keys
    young.unlink()
    for name, gone in names.items():
        if not gone:
            (publishing.folder / name).unlink()


def test_a_thousand_objects_of_a_run_go_in_batches_and_nothing_else(publishing):
    """More than one call may delete, and keys that need escaping; a table whose name begins alike keeps its objects."""
    publication = publishing.dag.user_defined_macros["publication"]
    ti = publishing.new_run()
    digest = publishing.names(ti).digest
    folder = "data-pipeline/prod/leaderboard/"
    mine = {f"{folder}{number}-{digest}" for number in range(1003)} | {f"{folder}a 'quoted\" é-{digest}"}
    others = {
        f"{folder}young-of-another-run",
        f"data-pipeline/prod/leaderboard_x/{digest}",
        f"data-pipeline/staging/leaderboard/{digest}",
        f"elsewhere/{digest}",
    }
    client = publishing.s3.client()
    for key in mine | others:
        client.put_object(Bucket="stir-exports", Key=key, Body=b"x")
    done = publishing.sshd.run(publication.clean_up_command(ti), seconds=120)
    assert done.returncode == 0, done.stderr
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="stir-exports")
    left = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
    assert not mine & left
    assert others <= left
    for key in others:
        client.delete_object(Bucket="stir-exports", Key=key)


def test_rollback_from_the_form_happens_once_however_often_its_task_runs(watched):
    for rows in (100, 120):
        watched.fill(rows)
        watched.run()
    form = {"table": "leaderboard", "environment": "prod", "accept_fewer_rows": False}
    run = SimpleNamespace(dag_id="rollback_serving_table", run_id="manual__1")
    done = roll_back_as_asked(params=form, dag_run=run)
    assert (done["table"], done["environment"]) == ("leaderboard", "prod")
    assert watched.rows() == 100
    roll_back_as_asked(params=form, dag_run=run)
    assert watched.rows() == 100, "a retry does not exchange the two again"
    again = SimpleNamespace(dag_id="rollback_serving_table", run_id="manual__2")
    roll_back_as_asked(params=form, dag_run=again)
    assert watched.rows() == 120
    watched.query("delete from leaderboard_old_bkp where platform_id > 'p2'")
    watched.filled.add(tuple(watched.query("select count(*), sum(followers)::bigint from leaderboard_old_bkp")[0]))
    third = SimpleNamespace(dag_id="rollback_serving_table", run_id="manual__3")
    with pytest.raises(AirflowFailException, match="share of live"):
        roll_back_as_asked(params=form, dag_run=third)
    assert watched.rows() == 120
    roll_back_as_asked(params=form | {"accept_fewer_rows": True}, dag_run=third)
    assert watched.rows() < 100
