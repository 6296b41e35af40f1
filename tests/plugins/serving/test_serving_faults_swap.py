"""Faults of the swap: cases 35, 37, 38 and 40. A process reads the live table all the while (`live`)."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import psycopg2
import pytest
from airflow.sdk.exceptions import AirflowFailException
from stir.serving import swap
from stir.serving.__main__ import main

pytestmark = pytest.mark.integration


def test_materialized_view_blocks_the_swap_instead_of_being_left_behind(live):
    live.query("create materialized view counted as select count(*) from leaderboard")
    with pytest.raises(AirflowFailException, match="materialized view counted"):
        live.run()
    live.query("drop materialized view counted")


def test_materialized_view_that_comes_after_the_guards_blocks_the_swap_too(live):
    ti = live.run(until="index")
    live.query("create materialized view counted as select count(*) from leaderboard")
    with pytest.raises(AirflowFailException, match="materialized view counted"):
        live.step("swap", ti)
    live.query("drop materialized view counted")


def test_whatever_a_rename_would_leave_behind_is_refused_by_name(live):
    made = {
        "foreign key of_genre of the table to genre": (
            "create table genre (name text primary key); "
            "alter table leaderboard add constraint of_genre foreign key (category) references genre not valid"
        ),
        "rule as_nothing of leaderboard": (
            "create rule as_nothing as on delete to leaderboard where old.platform = 'KEEP' do instead nothing"
        ),
        "rule noted of note": (
            "create table note (text text); create rule noted as on delete to note do also delete from leaderboard"
        ),
        "function best()": (
            "create function best() returns bigint begin atomic select min(followers_rank) from leaderboard; end"
        ),
        "publication replicated": "create publication replicated for table leaderboard",
        "extended statistics of_both": "create statistics of_both on month, platform from leaderboard",
    }
    for statement in made.values():
        live.query(statement)
    with pytest.raises(AirflowFailException) as refused:
        live.run()
    assert [name for name in made if name not in str(refused.value)] == []
    assert str(refused.value).count("in the way: ") == len(made)
    live.query("alter table leaderboard drop constraint of_genre; drop rule as_nothing on leaderboard; drop table note")
    live.query("drop function best; drop publication replicated; drop statistics of_both")
    live.query("create view shown as select platform_id from leaderboard")
    as_superuser(live, "create publication everything for tables in schema public")
    live.fill(110)
    live.run()
    assert live.rows("shown") == 110


@pytest.fixture
def role(live):
    """A role that owns nothing; it is dropped with all that it has got."""
    name = f"other_in_{live.database}"
    as_superuser(live, f"create role {name}")
    yield name
    as_superuser(live, f"drop owned by {name} cascade; drop role {name}")


def as_superuser(live, statements):
    with closing(live.postgres.superuser_connection(live.database)) as admin, admin, admin.cursor() as cursor:
        cursor.execute(statements)


def test_view_of_another_role_is_refused_by_name_before_the_swap(live, role):
    as_superuser(live, "create view theirs as select platform_id from leaderboard")
    as_superuser(live, f"alter view theirs owner to {role}")
    with pytest.raises(AirflowFailException, match=f"view theirs belongs to role {role}"):
        live.run()


def test_live_table_of_another_role_is_refused_by_name_before_the_swap(live, role):
    as_superuser(
        live,
        f"alter table leaderboard owner to {role}; grant select on leaderboard to stir; "
        "grant usage on sequence leaderboard_id_seq to stir",
    )
    try:
        with pytest.raises(AirflowFailException, match=f"the table belongs to role {role}, so stir cannot replace it"):
            live.run()
        assert live.rows() == 100
    finally:
        as_superuser(live, "alter table leaderboard owner to stir")


def test_older_mart_does_not_replace_a_newer_generation(live):
    early = live.run(until="index")
    time.sleep(1.1)  # build times have a resolution of one second
    live.fill(120)
    live.run()
    with pytest.raises(AirflowFailException, match="already shows a newer mart"):
        live.step("swap", early)
    assert live.rows() == 120


@pytest.mark.parametrize("dies", ["connection", "server"])
def test_cut_off_between_the_renames_changes_nothing(live, monkeypatch, dies):
    """Case 35: an open nextval() holds the sequence, which the swap needs after its renames: there it is cut off."""
    monkeypatch.setattr(swap, "UNDER_LOCK_WAIT_MS", 20_000)
    live.fill(150)
    ti = live.run(until="index")
    waiting = "from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'stir:%swap'"
    holder = live.connect()
    holder.cursor().execute("select nextval('leaderboard_id_seq')")
    swapping, failures = live.attempt("swap", ti)
    live.wait_for(f"select 1 {waiting}", seconds=15)
    if dies == "server":
        live.kill_postgres()
        live.restart_postgres()
    else:
        live.query(f"select pg_terminate_backend(pid) {waiting}")
    swapping.join(30)
    holder.close()
    assert isinstance(failures[0], psycopg2.Error)
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


@pytest.mark.parametrize(
    ("reads", "held"),
    [
        ("select count(*) from leaderboard", "leaderboard"),
        ("select count(*) from leaderboard_old_bkp", "leaderboard_old_bkp"),
        ("lock table only shown in access share mode", "shown"),
        ("select nextval('leaderboard_id_seq')", "leaderboard_id_seq"),
    ],
)
def test_swap_that_never_gets_its_lock_gives_up_and_names_the_holder(live, monkeypatch, reads, held):
    live.query("create view shown as select 1 as one from leaderboard")
    ti = live.run(until="index")
    limits = live.dag.user_defined_macros["publication"].target.limits
    monkeypatch.setitem(limits.__dict__, "swap", 1)
    with closing(live.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("set application_name = 'month end report'")
        cursor.execute(reads)
        with pytest.raises(TimeoutError, match=rf"could not be swapped within 1 s.* on {held} \(month end report"):
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


def test_dependent_view_follows_every_swap(live):
    """Case 38: the view shows the new generation, and the old one can be dropped by the next swap."""
    live.query("create view shown as select platform_id, followers from leaderboard where followers > 0")
    for rows in (110, 120):
        live.fill(rows)
        live.run()
        assert live.rows("shown") == rows - 1


def test_foreign_key_blocks_the_swap_and_is_named(live):
    """Case 38: a key that points at the table would stay with the old generation."""
    live.query("create table bookmark (leaderboard_id bigint references leaderboard (id))")
    live.fill(130)
    with pytest.raises(AirflowFailException, match="bookmark"):
        live.run()
    assert live.rows() == 100
    live.query("drop table bookmark")
    live.run()
    assert live.rows() == 130


def test_rights_that_only_the_live_table_has_reach_the_new_generation(live, role):
    """Case 40: a role that was granted the table by hand reads on after the swap, and got nothing more."""
    live.query(f"grant select on leaderboard to {role}")
    live.fill(120)
    live.run()
    can = "select has_table_privilege(%s, 'leaderboard', 'select'), has_table_privilege(%s, 'leaderboard', 'insert')"
    assert live.query(can, (role, role)) == [(True, False)]


def test_revoked_rights_come_back_neither_by_default_privileges_nor_by_a_rollback(live, role):
    may = "select has_table_privilege(%s, 'leaderboard', 'select')"
    live.query(f"grant select on leaderboard to {role}; grant update (platform) on leaderboard to {role}")
    live.fill(120)
    live.run()
    live.query(f"revoke all on leaderboard from {role}; revoke update (platform) on leaderboard from {role}")
    live.query(f"alter default privileges grant select on tables to {role}")
    live.fill(130)
    live.run()
    assert live.query(may, (role,)) == [(False,)]
    assert main(["rollback", "leaderboard", "--generation", "1"]) == 0
    assert live.rows() == 120
    assert live.query(may, (role,)) == [(False,)]
    assert live.query("select has_any_column_privilege(%s, 'leaderboard', 'update')", (role,)) == [(False,)]
