"""What goes wrong on the way, with real parts: in each case the live table stays whole, and the next try or run
succeeds.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing

import psutil
import psycopg2
import pytest
from airflow.sdk.exceptions import AirflowFailException
from backports import zstd
from stir.serving import swap
from stir.serving.manifest import Manifest

pytestmark = pytest.mark.integration


@pytest.fixture
def live(publishing):
    """A database in which one generation of 100 rows is live."""
    publishing.fill(100)
    publishing.run()
    assert publishing.rows() == 100
    return publishing


def replace_object(publishing, key, body):
    publishing.s3.client().put_object(Bucket="stir-exports", Key=key, Body=body)


def object_body(publishing, key):
    return publishing.s3.client().get_object(Bucket="stir-exports", Key=key)["Body"].read()


# Export and fetch


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
    replace_object(live, key, change(object_body(live, key)))
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


def test_object_with_fewer_rows_than_the_mart_is_refused(live):
    live.fill(200)
    ti = live.run(until="export")
    key = ti.results["export"][0][0]
    lines = zstd.decompress(object_body(live, key)).splitlines(keepends=True)
    replace_object(live, key, zstd.compress(b"".join(lines[:150])))
    with pytest.raises(AirflowFailException, match=r"holds 150 rows, dbt.mart_leaderboard has 200: the export was cut"):
        live.step("manifest", ti)
    assert live.rows() == 100


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda body: body[:-3], "bytes, manifest says"),
        (lambda body: body[:100] + bytes([body[100] ^ 1]) + body[101:], "checksum"),
    ],
    ids=["truncated", "one bit altered"],
)
def test_object_changed_after_the_manifest_is_not_loaded(live, change, complaint, caplog, capfd):
    live.fill(200)
    ti = live.run(until="manifest")
    key = ti.results["manifest"]["key"]
    replace_object(live, key, change(object_body(live, key)))
    with pytest.raises(Exception, match="exit status = 65"):
        live.step("fetch", ti)
    assert complaint in caplog.text + "".join(capfd.readouterr())
    assert not list(live.folder.glob(f"*{live.names(ti).digest}*")), "neither the file nor a part of it stays"
    assert live.rows() == 100


def test_export_never_overwrites_an_object(live):
    ti = live.new_run()
    publication = live.dag.user_defined_macros["publication"]
    key = publication.source_state_sql(ti).split("'")[1]
    replace_object(live, key, b"somebody else's")
    with pytest.raises(Exception, match="already exists"):
        live.step("export", ti)
    assert object_body(live, key) == b"somebody else's"
    ti.try_number = 2
    live.run(ti)
    assert ti.results["manifest"]["key"] != key


def test_full_disk_on_the_database_host_is_noticed_before_the_transfer(live):
    ti = live.run(until="manifest")
    ti.results["manifest"]["bytes"] = 10**16
    with pytest.raises(Exception, match="exit status = 28"):
        live.step("fetch", ti)


def test_missing_folder_on_the_database_host_is_named(live, monkeypatch, caplog, capfd):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_FETCH_DIRECTORY", "/nowhere/at all")
    ti = live.run(until="manifest")
    with pytest.raises(Exception, match="exit status = 66"):
        live.step("fetch", ti)
    assert "/nowhere/at all does not exist" in caplog.text + "".join(capfd.readouterr())


# Guards


def test_empty_mart_is_refused(live):
    live.fill(0)
    with pytest.raises(AirflowFailException, match="0 rows exported"):
        live.run()
    assert live.rows() == 100


def test_loss_of_ninety_percent_of_the_rows_is_refused(live):
    live.fill(10)
    with pytest.raises(AirflowFailException, match=r"10 of 100 rows are 10\.0%, at least 50% required"):
        live.run()
    assert live.rows() == 100


def test_half_of_the_rows_is_enough(live):
    live.fill(50)
    live.run()
    assert live.rows() == 50


def test_duplicate_keys_are_refused_and_one_is_named(live):
    live.fill(200, profile="concat('p', toString(if(number < 6, number % 2, number)))")
    with pytest.raises(AirflowFailException, match=r"key unique: 4 rows too many .* for example .*p[01]"):
        live.run()
    assert live.rows() == 100


def test_null_in_the_key_and_lost_rows_are_both_reported(live):
    ti = live.run(until="enrich")
    table = live.names(ti).working_table
    live.query(f"update {table} set platform_id = null where platform_id in ('p1', 'p2', 'p3')")
    live.query(f"delete from {table} where platform_id = 'p4'")
    with pytest.raises(AirflowFailException) as refusal:
        live.step("guard", ti)
    assert "99 in the working table, 100 in the manifest (-1)" in str(refusal.value)
    assert "3 rows have a NULL in" in str(refusal.value)
    assert live.query("select count(*) from leaderboard where platform_id is null") == [(0,)]


def test_drifted_mart_is_refused_with_the_columns(live):
    live.clickhouse.execute("alter table dbt.mart_leaderboard modify column followers Nullable(String)")
    live.clickhouse.execute("alter table dbt.mart_leaderboard add column unrelated String")
    with pytest.raises(AirflowFailException, match=r"followers is Nullable\(String\), declared Nullable\(Int64\)"):
        live.run()
    assert live.rows() == 100


def test_drifted_serving_table_is_refused_with_the_columns(live):
    live.query("alter table leaderboard add column mystery text")
    with pytest.raises(AirflowFailException, match=r"mystery \(text\) is not declared"):
        live.run()
    assert live.rows() == 100


def test_materialized_view_blocks_the_swap_instead_of_being_left_behind(live):
    live.query("create materialized view counted as select count(*) from leaderboard")
    with pytest.raises(AirflowFailException, match="materialized view counted"):
        live.run()
    live.query("drop materialized view counted")


def test_older_mart_does_not_replace_a_newer_generation(live):
    early = live.run(until="index")
    time.sleep(1.1)  # build times have a resolution of one second
    live.fill(120)
    live.run()
    with pytest.raises(AirflowFailException, match="already shows a newer mart"):
        live.step("swap", early)
    assert live.rows() == 120


# Crashes


def test_postgres_killed_during_copy_then_retry(live):
    """The load reads from a pipe, so that the kill surely falls into the middle of COPY."""
    live.fill(300)
    ti = live.run(until="fetch")
    path = live.fetched(ti)
    content = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    path.chmod(0o644)
    failure = []

    def load():
        try:
            live.step("load", ti)
        except Exception as error:
            failure.append(error)

    loading = threading.Thread(target=load)
    loading.start()
    pipe = os.open(path, os.O_WRONLY)
    os.write(pipe, content[: len(content) // 3])
    server = psutil.Process(live.postgres.main.process().pid)
    for process in (server, *server.children()):
        process.kill()
    os.close(pipe)
    loading.join(30)
    assert failure
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o644)
    live.postgres.start()
    live.postgres.wait_ready()
    assert live.rows() == 100
    live.run(ti, after="fetch")
    assert live.rows() == 300


def test_connection_lost_between_the_renames_changes_nothing(live, monkeypatch):
    """An open nextval() holds the sequence, which the swap needs after its renames: there it is cut off."""
    monkeypatch.setattr(swap, "LOCK_WAIT_MS", 20_000)
    live.fill(150)
    ti = live.run(until="index")
    with closing(live.connect()) as holder:
        holder.cursor().execute("select nextval('leaderboard_id_seq')")
        failure = []

        def swap_now():
            try:
                live.step("swap", ti)
            except Exception as error:
                failure.append(error)

        swapping = threading.Thread(target=swap_now)
        swapping.start()
        with closing(live.connect()) as killer, killer.cursor() as cursor:
            killer.autocommit = True
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                cursor.execute(
                    "select pid from pg_stat_activity "
                    "where wait_event_type = 'Lock' and application_name like 'stir:%%swap'"
                )
                waiting = cursor.fetchone()
                if waiting:
                    cursor.execute("select pg_terminate_backend(%s)", waiting)
                    break
                time.sleep(0.02)
        swapping.join(20)
    assert isinstance(failure[0], psycopg2.Error)
    assert live.rows() == 100
    assert live.query("select count(*) from serving_ledger where run_id = %s", (ti.run_id,)) == [(0,)]
    live.step("swap", ti)
    assert live.rows() == 150


def test_swap_repeated_after_it_succeeded_does_nothing(live):
    live.fill(130)
    ti = live.run(until="swap")
    assert live.step("swap", ti)["locked_ms"] == 0
    assert live.rows() == 130
    assert live.rows("leaderboard_old_bkp") == 100


def test_run_that_is_cleared_after_a_success_publishes_again(live):
    live.fill(130)
    ti = live.run()
    live.fill(135)
    again = live.cleared(ti)
    live.run(again)
    live.dag.user_defined_macros["publication"].record_seconds(again, {"export": 2.5})
    assert live.rows() == 135
    assert live.query("select rows, seconds from serving_ledger where run_id = %s order by id", (ti.run_id,)) == [
        (130, {}),
        (135, {"export": 2.5}),
    ]


def test_leftovers_of_a_crashed_run_are_cleaned_by_the_next_one(live):
    crashed = live.run(until="index")
    left = {live.names(crashed).staged_table, live.names(crashed).working_table}
    live.query("create table leaderboard_tmp_0123456789 (note text)")
    live.query("create table leaderboard_tmp_aaaaaaaaaa (note text)")
    tag = '{"owner": "stir.serving", "target": "leaderboard", "dag": "another", "run": "r", "created": "%s"}'
    live.query(f"comment on table leaderboard_tmp_aaaaaaaaaa is '{tag % '2099-01-01T00:00:00+00:00'}'")
    live.query("create table leaderboard_tmp_bbbbbbbbbb (note text)")
    live.query(f"comment on table leaderboard_tmp_bbbbbbbbbb is '{tag % '2026-01-01T00:00:00+00:00'}'")
    assert left <= live.tables()
    ti = live.run()
    live.step("clean_database", ti)
    assert live.tables() == {
        "leaderboard",
        "leaderboard_old_bkp",
        "leaderboard_tmp_0123456789",  # carries no tag: somebody else's
        "leaderboard_tmp_aaaaaaaaaa",  # another DAG's run, too young to be abandoned
    }


def test_abandoned_files_and_objects_go_by_age_and_name(live):
    old = live.folder / "leaderboard.prod.manual__old.try1.tsv"
    young = live.folder / "leaderboard.prod.manual__young.try1.tsv"
    foreign = live.folder / "leaderboard_backup.tsv"
    for path in (old, young, foreign):
        path.write_text("x")
    long_ago = time.time() - 5 * 3600
    os.utime(old, (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    ti = live.run()
    live.step("clean_host", ti)
    assert (old.exists(), young.exists(), foreign.exists()) == (False, True, True)
    young.unlink()
    foreign.unlink()


# Writers and readers


def test_second_writer_is_kept_out(live):
    ti = live.run(until="fetch")
    with closing(live.connect()) as other, other.cursor() as cursor:
        cursor.execute(swap.one_writer(live.target))
        with pytest.raises(Exception, match="another run is writing leaderboard right now"):
            live.step("load", ti)
        other.rollback()
        live.run(ti, after="fetch")


def test_swap_waits_for_a_long_reader_while_other_readers_pass(live):
    live.fill(140)
    ti = live.run(until="index")
    with closing(live.connect()) as reader:
        reader.cursor().execute("select count(*) from leaderboard")  # its transaction stays open and keeps the lock
        swapping = threading.Thread(target=live.step, args=("swap", ti))
        swapping.start()
        slowest, seen = read_for(live, seconds=2.5)
        assert seen == {100}
        assert slowest < PATIENCE, "no reader queued behind the waiting swap until the long one ended"
        assert swapping.is_alive()
        reader.commit()
    swapping.join(10)
    assert live.rows() == 140
    assert ti.results["swap"]["attempts"] > 2
    assert ti.results["swap"]["locked_ms"] < PATIENCE * 1000


def test_swap_that_never_gets_its_lock_gives_up_and_names_the_holder(live, monkeypatch):
    ti = live.run(until="index")
    limits = live.dag.user_defined_macros["publication"].target.limits
    monkeypatch.setitem(limits.__dict__, "swap", 1)
    with closing(live.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("set application_name = 'month end report'")
        cursor.execute("select count(*) from leaderboard")
        with pytest.raises(TimeoutError, match=r"could not be swapped within 1 s.*month end report"):
            live.step("swap", ti)
    assert live.rows() == 100


PATIENCE = 0.5
"""Seconds: far above the lock timeout on a busy machine, far below the 2.5 s that the long reader stays."""


def read_for(publishing, seconds, through="leaderboard"):
    """Select all the time; returns the slowest read in seconds and the row counts that were seen."""
    slowest, seen = 0.0, set()
    with closing(publishing.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            begin = time.perf_counter()
            cursor.execute(f"select count(*) from {through}")
            seen.add(cursor.fetchone()[0])
            slowest = max(slowest, time.perf_counter() - begin)
    return slowest, seen


def test_readers_see_only_whole_generations_and_never_an_error(live):
    """Readers of the table and of a view select without pause while five generations go live and one is rolled back."""
    live.query("create view shown as select platform_id, month from leaderboard")
    stop = threading.Event()
    seen: dict[str, set] = {"leaderboard": set(), "shown": set()}
    errors: list[Exception] = []
    longest = [0.0]

    def read(source):
        try:
            with closing(live.connect()) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                while not stop.is_set():
                    begin = time.perf_counter()
                    cursor.execute(f"select count(*), min(month)::date::text, max(month)::date::text from {source}")
                    seen[source].add(cursor.fetchone())
                    longest[0] = max(longest[0], time.perf_counter() - begin)
        except Exception as error:
            errors.append(error)

    readers = [threading.Thread(target=read, args=(source,)) for source in ("leaderboard", "shown") for _ in range(2)]
    for reader in readers:
        reader.start()
    expected = {(100, "2026-10-01", "2026-10-01")}
    try:
        for number in range(1, 6):
            live.fill(100 + number, month=f"2026-0{number}-01")
            live.run()
            expected.add((100 + number, f"2026-0{number}-01", f"2026-0{number}-01"))
    finally:
        stop.set()
        for reader in readers:
            reader.join(10)
    assert not errors
    assert seen["leaderboard"] <= expected
    assert seen["shown"] <= expected
    assert (105, "2026-05-01", "2026-05-01") in seen["leaderboard"]
    assert longest[0] < PATIENCE * 2


def test_manifest_survives_its_way_through_xcom(live):
    ti = live.run(until="manifest")
    assert Manifest.from_dict(ti.results["manifest"]).as_dict() == ti.results["manifest"]
