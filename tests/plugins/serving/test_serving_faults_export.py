"""Faults of the export: cases 28, 29, 41 and 42. A process reads the live table all the while (`live`)."""

from __future__ import annotations

import time

import psutil
import pytest
from airflow.sdk.exceptions import AirflowFailException
from backports import zstd
from stir.serving.housekeeping_dag import Housekeeping
from stir.serving.manifest import Manifest
from stir.serving.naming import PRODUCTION

from tests.plugins.serving.conftest import mart_ddl

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda body: body[:-500], "holds 0 rows, dbt.mart_leaderboard has 200: the export was cut short"),
        (lambda body: b"not compressed at all", "is cut short or damaged"),
    ],
    ids=["cut short", "damaged"],
)
def test_object_that_is_not_whole_is_refused_by_the_manifest(live, change, complaint):
    live.fill(200)
    ti = live.run(until="export")
    key = ti.results["export"][0][0]
    live.replace_object(key, change(live.object_body(key)))
    with pytest.raises(AirflowFailException, match=complaint):
        live.step("manifest", ti)
    assert live.rows() == 100


def test_a_mart_rebuilt_during_the_export_is_refused(live):
    live.fill(200)
    ti = live.run(until="export")
    first = ti.results["export"][0]
    assert first[1] == first[4], "nothing was rebuilt"
    live.fill(200)
    second = live.run(until="export").results["export"][0]
    assert second[1] != first[1], "a rebuild is another build, whatever its rows"
    ti.results["export"] = [(*first[:4], second[4])]
    with pytest.raises(AirflowFailException, match="was rebuilt while it was exported"):
        live.step("manifest", ti)


def test_manifest_describes_the_build_that_was_exported_even_if_another_follows(live):
    """What was counted and looked up belongs to the exported build, whatever stands in the mart by then."""
    live.fill(200)
    live.clickhouse.execute(
        "alter table dbt.mart_leaderboard update avg_likes = nan where platform_id in ('p1', 'p2', 'p3') "
        "settings mutations_sync = 1"
    )
    live.clickhouse.execute("truncate table dbt.stg_beat_profile_log")
    live.clickhouse.execute("insert into dbt.stg_beat_profile_log select now() - 5000, now() - 4000")
    ti = live.run(until="export")
    live.fill(180)
    live.clickhouse.execute("insert into dbt.stg_beat_profile_log select now() - 5, now() - 4500")
    live.step("manifest", ti)
    taken = ti.results["manifest"]
    assert (taken["rows"], taken["cleaned_values"]) == (200, 3)
    assert taken["built_at"] - taken["newest_event_at"] > 4900
    live.clickhouse.execute("truncate table dbt.stg_beat_profile_log")


def test_newest_event_is_never_later_than_the_build(publishing):
    """A post can bear a time of publication that has not come yet."""
    import serving

    publishing.dag = serving.sync_trending_content_prod
    target = publishing.dag.user_defined_macros["publication"].target
    publishing.clickhouse.execute(f"drop table if exists {target.mart} sync")
    publishing.clickhouse.execute(mart_ddl(target))
    publishing.clickhouse.execute(
        f"insert into {target.mart} (short_code, publish_time) select toString(number), "
        "now64(6, 'UTC') + if(number = 0, toIntervalDay(1), toIntervalDay(-1)) from numbers(2)"
    )
    taken = publishing.run(until="manifest").results["manifest"]
    assert taken["built_at"] - taken["newest_event_at"] == pytest.approx(86400, abs=60)
    publishing.clickhouse.execute(f"drop table {target.mart} sync")


def test_object_with_fewer_rows_than_the_mart_is_refused(live):
    live.fill(200)
    ti = live.run(until="export")
    key = ti.results["export"][0][0]
    lines = zstd.decompress(live.object_body(key)).splitlines(keepends=True)
    live.replace_object(key, zstd.compress(b"".join(lines[:150])))
    with pytest.raises(AirflowFailException, match=r"holds 150 rows, dbt.mart_leaderboard has 200: the export was cut"):
        live.step("manifest", ti)
    assert live.rows() == 100


def test_export_never_overwrites_an_object(live):
    ti = live.new_run()
    publication = live.dag.user_defined_macros["publication"]
    key = publication.source_state_sql(ti).split("'")[1]
    live.replace_object(key, b"somebody else's")
    with pytest.raises(Exception, match="already exists"):
        live.step("export", ti)
    assert live.object_body(key) == b"somebody else's"
    ti.try_number = 2
    live.run(ti)
    assert ti.results["manifest"]["key"] != key


def test_empty_mart_is_refused(live):
    live.fill(0)
    with pytest.raises(AirflowFailException, match="0 rows exported"):
        live.run()
    assert live.rows() == 100


def test_drifted_mart_is_refused_with_the_columns(live):
    live.clickhouse.execute("alter table dbt.mart_leaderboard modify column followers Nullable(String)")
    live.clickhouse.execute("alter table dbt.mart_leaderboard add column unrelated String")
    with pytest.raises(AirflowFailException, match=r"followers is Nullable\(String\), declared Nullable\(Int64\)"):
        live.run()
    assert live.rows() == 100


def test_manifest_survives_its_way_through_xcom(live):
    ti = live.run(until="manifest")
    assert Manifest.from_dict(ti.results["manifest"]).as_dict() == ti.results["manifest"]


def test_export_killed_in_mid_object_then_retry(live, clickhouse_service, monkeypatch):
    """Case 28: ClickHouse is killed while the object store holds a part of the object and others are still to come.

    A part has 5 MB at least, so the mart gets a text that cannot be compressed, and one part is sent a second.
    """
    live.fill(290)
    live.clickhouse.execute(
        "alter table dbt.mart_leaderboard update category = randomPrintableASCII(200000) where true "
        "settings mutations_sync = 1"
    )
    parts = {"s3_min_upload_part_size": 5 << 20, "s3_max_single_part_upload_size": 1}
    one_a_second = {"s3_max_put_rps": 1, "s3_max_put_burst": 1}
    for name, value in (parts | one_a_second).items():
        monkeypatch.setitem(live.dag.get_task("export")._settings, name, value)
    ti = live.new_run()
    exporting, failures = live.attempt("export", ti)
    until = time.monotonic() + 60
    while not (sent := bytes_of_unfinished_uploads(live, ti)) and exporting.is_alive() and time.monotonic() < until:
        time.sleep(0.02)
    server = psutil.Process(clickhouse_service.main.process().pid)
    server.kill()
    server.wait(30)
    exporting.join(60)
    clickhouse_service.start()
    clickhouse_service.wait_ready()
    live.clickhouse.disconnect()
    assert failures
    assert sent >= 5 << 20, f"killed with a part of the object in the store, not after {failures}"
    assert not [key for key in live.objects() if live.names(ti).digest in key], "half an object has no name"
    with pytest.raises(TypeError):
        live.step("manifest", ti)
    assert live.rows() == 100
    live.fill(290)
    ti.try_number = 2
    live.run(ti)
    assert live.rows() == 290
    assert bytes_of_unfinished_uploads(live, ti), "the store keeps what nobody will complete"
    done = live.sshd.run(Housekeeping(PRODUCTION).sweep_command(), seconds=120)
    assert done.returncode == 0, done.stderr
    assert not bytes_of_unfinished_uploads(live, ti), "until the clean-up"


def bytes_of_unfinished_uploads(publishing, ti) -> int:
    """Bytes that the object store has of objects of this run that are not complete."""
    client = publishing.s3.client()
    found = client.list_multipart_uploads(Bucket="stir-exports", Prefix="data-pipeline/prod/leaderboard/")
    total = 0
    for upload in found.get("Uploads", []):
        if publishing.names(ti).digest in upload["Key"]:
            parts = client.list_parts(Bucket="stir-exports", Key=upload["Key"], UploadId=upload["UploadId"])
            total += sum(part["Size"] for part in parts.get("Parts", []))
    return total


def test_new_column_of_the_mart_is_let_pass_and_a_dropped_one_is_refused(live):
    """Case 42: what nobody publishes does no harm; what is missing is named."""
    live.fill(110)
    live.clickhouse.execute("alter table dbt.mart_leaderboard add column unrelated String")
    live.run()
    assert live.rows() == 110
    live.fill(120)
    live.clickhouse.execute("alter table dbt.mart_leaderboard drop column followers")
    with pytest.raises(Exception, match="followers"):
        live.run()
    assert live.rows() == 110
