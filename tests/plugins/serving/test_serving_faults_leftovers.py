"""Leftovers of crashed runs: case 45. A process reads the live table all the while (`live`)."""

from __future__ import annotations

import os
import time

import pytest

pytestmark = pytest.mark.integration


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
