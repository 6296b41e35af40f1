"""Faults between the load and the swap: cases 33, 34, 36, 39 and 41 to 43.

A process reads the live table all the while (`live`).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException
from stir.serving import swap

from devstack.home import database_user

pytestmark = pytest.mark.integration


@contextmanager
def administrator(publishing):
    """Cursor with all rights on the serving database; each statement is its own transaction."""
    with closing(publishing.postgres.superuser_connection(publishing.database)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        yield cursor


def killed_during(publishing, task_id, ti, moment):
    """Run a task, kill the server once the query `moment` gives a row, and start the server again."""
    running, failures = publishing.attempt(task_id, ti)
    publishing.wait_for(moment)
    publishing.kill_postgres()
    running.join(60)
    assert failures
    publishing.restart_postgres()


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
    live.kill_postgres()
    os.close(pipe)
    loading.join(30)
    assert failure
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o644)
    live.restart_postgres()
    assert live.rows() == 100
    live.run(ti, after="fetch")
    assert live.rows() == 300


def test_loss_of_ninety_percent_of_the_rows_is_refused(live):
    live.fill(10)
    with pytest.raises(AirflowFailException, match=r"10 of 100 rows are 10\.0%, at least 50% required"):
        live.run()
    assert live.rows() == 100


def altered(publishing, change):
    """A run whose fetched file was altered before the load: `change` gets its lines as lists of values, by column."""
    ti = publishing.run(until="fetch")
    path = publishing.fetched(ti)
    columns = {column.name: place for place, column in enumerate(publishing.target.exported)}
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    change(rows, columns)
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return ti


HASH = r"hash of rows is \d+, exported \d+(; keys and values \w+ is \d+, exported \d+)*"


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("followers", "71", "sum followers is 199001, exported 199000"),
        ("month", "2024-02-02 00:00:00", r"microseconds month is \d+, exported \d+"),
        (
            "engagement_rate",
            "0.07",
            "non-null engagement_rate is 1, exported 0; thousandths engagement_rate is 70, exported 0",
        ),
        ("platform_id", "p7x", "characters platform_id is 691, exported 690"),
        ("followers", r"\N", "non-null followers is 199, exported 200; sum followers is 198930, exported 199000"),
    ],
    ids=["number", "time", "fraction", "text", "null"],
)
def test_file_altered_after_it_was_checked_is_refused_by_its_sums(live, column, value, complaint):
    """Case 31: as many rows as before, each with a key, and one other value."""
    live.fill(200)

    def change(rows, columns):
        next(row for row in rows if "p7" in row)[columns[column]] = value

    ti = altered(live, change)
    with pytest.raises(AirflowFailException, match=f"sums of the loaded data: {complaint}; {HASH}$"):
        live.run(ti, after="fetch", until="guard")


def test_values_exchanged_between_rows_or_by_others_as_long_are_refused(live):
    """Case 31: no sum of a column changes."""
    live.fill(200)

    def exchange(rows, columns):
        place = columns["followers"]
        rows[3][place], rows[5][place] = rows[5][place], rows[3][place]

    def spell(rows, columns):
        rows[3][columns["platform"]] = "INSTAGRAN"

    for change in (exchange, spell):
        ti = altered(live, change)
        with pytest.raises(AirflowFailException, match=f"sums of the loaded data: {HASH}$"):
            live.run(ti, after="fetch", until="guard")


def test_altered_rank_maps_are_refused(live):
    """Case 31: one row of sixteen is taken apart, so what happens to all of them is seen."""
    live.fill(200)

    def change(rows, columns):
        place = columns["current_month_ranks"]
        for row in rows:
            row[place] = row[place].replace("followers_rank", "followers_rang")

    ti = altered(live, change)
    complaint = r"keys and values current_month_ranks is \d+, exported \d+"
    with pytest.raises(AirflowFailException, match=f"sums of the loaded data: {complaint}$"):
        live.run(ti, after="fetch", until="guard")


def test_fewer_rows_than_the_target_must_have_are_refused_also_by_the_first_load(publishing, monkeypatch):
    monkeypatch.setitem(publishing.target.guards.__dict__, "minimum_rows", 50)
    publishing.fill(49)
    with pytest.raises(AirflowFailException, match=r"minimum: 49 rows, at least 50 required$"):
        publishing.run()
    assert publishing.rows() == 0
    publishing.fill(50)
    publishing.run()
    assert publishing.rows() == 50


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


def test_drifted_serving_table_is_refused_with_the_columns(live):
    live.query("alter table leaderboard add column mystery text")
    with pytest.raises(AirflowFailException, match=r"mystery \(text\) is not declared"):
        live.run()
    assert live.rows() == 100


def test_second_writer_is_kept_out(live):
    ti = live.run(until="fetch")
    with closing(live.connect()) as other, other.cursor() as cursor:
        cursor.execute(swap.one_writer(live.target))
        with pytest.raises(Exception, match="another run is writing leaderboard right now"):
            live.step("load", ti)
        other.rollback()
        live.run(ti, after="fetch")


def test_two_whole_runs_at_once_publish_one_after_the_other(live):
    """Case 39: the twins of one target start at one moment."""
    live.fill(20_000)
    runs, failures = [live.new_run(), live.new_run()], []

    def work(ti):
        try:
            live.run_persistently(ti)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(ti,)) for ti in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert live.rows() == 20_000
    assert {name for name in live.tables() if "_raw_" not in name} == {"leaderboard", "leaderboard_old_bkp"}
    published = live.query("select run_id, rows from serving_ledger order by id desc limit 2")
    assert sorted(published) == sorted((ti.run_id, 20_000) for ti in runs)


@pytest.fixture
def small_database_disk(live):
    """The serving database makes its new tables on a file system of 1 MiB."""
    folder = Path(tempfile.mkdtemp(dir=live.postgres.settings.home))
    owner = f",uid={database_user()}" if database_user() else ""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=1m,mode=700{owner}", "stir-test", str(folder)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a tmpfs is not permitted here: {mounted.stderr.strip()}")
    try:
        with administrator(live) as admin:
            admin.execute(f"create tablespace small location '{folder}'")
            admin.execute("grant create on tablespace small to stir")
            admin.execute(f"alter database {live.database} set default_tablespace = small")
            yield
            admin.execute("drop tablespace if exists small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_disk_of_the_database_that_fills_up_during_copy_leaves_nothing_then_retry(live, small_database_disk):
    before = live.tables()
    live.fill(20_000)
    ti = live.run(until="fetch")
    with pytest.raises(Exception, match="No space left on device"):
        live.step("load", ti)
    assert live.tables() == before
    assert live.rows() == 100
    with administrator(live) as admin:
        admin.execute(f"alter database {live.database} reset default_tablespace")
    live.run(ti, after="fetch")
    assert live.rows() == 20_000


def test_postgres_killed_during_the_index_build_then_retry(live):
    """Case 34: an event trigger holds the transaction in the middle of the build, with a part of the indexes made."""
    live.fill(300)
    ti = live.run(until="guard")
    with administrator(live) as admin:
        admin.execute(
            "create function hold() returns event_trigger language plpgsql as "
            "$$ begin perform pg_sleep(600); end $$; "
            "create event trigger hold on ddl_command_start when tag in ('CREATE INDEX') execute function hold()"
        )
    sleeping = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
    killed_during(live, "index", ti, sleeping)
    with administrator(live) as admin:
        admin.execute("drop event trigger hold; drop function hold()")
    assert live.rows() == 100
    live.run(ti, after="guard")
    assert live.rows() == 300


def test_postgres_killed_during_vacuum_then_retry(live):
    """Case 36: the new generation is live already; the vacuum is paced by the server's own cost delay."""
    live.fill(3000)
    ti = live.run(until="swap")
    with administrator(live) as admin:
        for setting in ("vacuum_cost_delay = '100ms'", "vacuum_cost_limit = 1"):
            admin.execute(f"alter database {live.database} set {setting}")
    killed_during(live, "vacuum", ti, "select 1 from pg_stat_progress_vacuum where datname = current_database()")
    with administrator(live) as admin:
        admin.execute(f"alter database {live.database} reset all")
    assert live.rows() == 3000
    live.step("vacuum", ti)
    assert live.query("select reltuples::int from pg_class where relname = 'leaderboard'") == [(3000,)]
