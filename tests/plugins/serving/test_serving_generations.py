"""Several previous generations: how they move along, what a rollback to any of them does, what is dropped."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager

import pytest
from stir.serving import swap
from stir.serving.__main__ import main
from stir.serving.housekeeping_dag import Housekeeping
from stir.serving.naming import PRODUCTION

pytestmark = pytest.mark.integration


@pytest.fixture
def three_kept(live, monkeypatch):
    """100, 110, 120, 130 and 140 rows were published; three previous generations are kept."""
    monkeypatch.setitem(live.target.__dict__, "previous_generations", 3)
    for rows in (110, 120, 130, 140):
        live.fill(rows)
        live.run()
    return live


def generations(publishing):
    """Rows of live and previous generations, newest first."""
    names = ["leaderboard", "leaderboard_old_bkp", *(f"leaderboard_old_bkp_{number}" for number in range(2, 10))]
    return [publishing.rows(name) for name in names if name in publishing.tables()]


def indexes(publishing, table):
    found = publishing.query(
        "select indexrelid::regclass::text from pg_index where indrelid = %s::regclass order by 1", (table,)
    )
    return [name for (name,) in found]


def test_generations_move_along_and_the_oldest_goes(three_kept):
    assert generations(three_kept) == [140, 130, 120, 110]
    permanent = indexes(three_kept, "leaderboard")
    for suffix in ("_old_bkp", "_old_bkp_2", "_old_bkp_3"):
        assert indexes(three_kept, f"leaderboard{suffix}") == [name + suffix for name in permanent]


def test_live_table_is_locked_only_after_the_others_have_moved(three_kept, monkeypatch):
    """Who holds up the move of a previous generation, here of the one that moves last, holds up no reader."""
    monkeypatch.setattr(swap, "LOCK_WAIT_MS", 60_000)
    ti = three_kept.run(until="index")
    with reader_of(three_kept, "leaderboard_old_bkp"):
        swapping, failures = three_kept.attempt("swap", ti)
        assert locks_on_live_table_while_waiting(three_kept) == []
    swapping.join(60)
    assert not failures
    assert generations(three_kept) == [140, 140, 130, 120]
    with reader_of(three_kept, "leaderboard_old_bkp"):
        going_back = threading.Thread(target=main, args=(["rollback", "leaderboard", "--generation", "3"],))
        going_back.start()
        assert locks_on_live_table_while_waiting(three_kept) == []
    going_back.join(60)
    assert generations(three_kept) == [120, 140, 140, 130]


@contextmanager
def reader_of(publishing, table):
    """A transaction that has read the table and keeps its lock during the block."""
    with closing(publishing.connect()) as reader:
        reader.cursor().execute(f"select count(*) from {table}")
        yield


def locks_on_live_table_while_waiting(publishing):
    """Locks, other than a reader's, that a session which waits for another lock has on the live table."""
    waiting = "from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    publishing.wait_for(f"select 1 {waiting}")
    return publishing.query(
        "select mode from pg_locks where relation = 'leaderboard'::regclass and mode <> 'AccessShareLock' "
        f"and pid in (select pid {waiting})"
    )


def test_rollback_to_an_older_generation_and_back(three_kept, capsys):
    permanent = indexes(three_kept, "leaderboard")
    assert main(["rollback", "leaderboard", "--generation", "3"]) == 0
    assert generations(three_kept) == [110, 140, 130, 120]
    assert indexes(three_kept, "leaderboard") == permanent
    assert main(["rollback", "leaderboard"]) == 0
    assert generations(three_kept) == [140, 110, 130, 120]
    assert indexes(three_kept, "leaderboard_old_bkp_3") == [name + "_old_bkp_3" for name in permanent]
    assert main(["rollback", "leaderboard", "--generation", "4"]) == 1
    assert "no previous generation 4: there is no table leaderboard_old_bkp_4" in capsys.readouterr().err
    main(["history", "leaderboard"])
    told = capsys.readouterr().out
    assert all(f"previous {number}" in told for number in (1, 2, 3))


def test_fewer_kept_and_a_gap_are_made_good_by_the_next_publish(three_kept, monkeypatch):
    three_kept.query("drop table leaderboard_old_bkp_2")
    three_kept.fill(150)
    three_kept.run()
    assert generations(three_kept) == [150, 140, 130, 110]
    monkeypatch.setitem(three_kept.target.__dict__, "previous_generations", 1)
    three_kept.fill(160)
    three_kept.run()
    assert generations(three_kept) == [160, 150]


def test_housekeeping_drops_every_expired_generation(three_kept, monkeypatch):
    instance = type("Instance", (), {"dag_id": "cleanup_serving_artifacts", "run_id": "r"})
    assert Housekeeping(PRODUCTION).clean_database(instance)["dropped"] == []
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_BACKUP_DAYS", "-1")
    dropped = Housekeeping(PRODUCTION).clean_database(instance)["dropped"]
    assert sorted(dropped) == ["leaderboard_old_bkp", "leaderboard_old_bkp_2", "leaderboard_old_bkp_3"]
    assert generations(three_kept) == [140]
