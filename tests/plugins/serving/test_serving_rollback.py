"""Restoring, listing and comparing generations, through the command line as an operator uses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from airflow.sdk.exceptions import AirflowFailException
from stir.serving.__main__ import main
from stir.serving.targets import TARGETS

from devstack.settings import REPOSITORY

pytestmark = pytest.mark.integration


@pytest.fixture
def two_generations(publishing):
    """100 rows as the previous generation, 120 live."""
    for rows in (100, 120):
        publishing.fill(rows)
        publishing.run()
    return publishing


def indexes(publishing, table):
    return publishing.query(
        "select indexrelid::regclass::text, indisprimary from pg_index where indrelid = %s::regclass order by 1",
        (table,),
    )


def test_rollback_exchanges_generations_and_a_second_one_undoes_it(two_generations, capsys):
    two_generations.query("create view shown as select platform_id from leaderboard")
    names = indexes(two_generations, "leaderboard")
    assert main(["rollback", "leaderboard"]) == 0
    assert "previous generation 1 is live again" in capsys.readouterr().out
    assert two_generations.rows() == 100
    assert two_generations.rows("shown") == 100
    assert two_generations.rows("leaderboard_old_bkp") == 120
    assert indexes(two_generations, "leaderboard") == names
    assert main(["rollback", "leaderboard"]) == 0
    assert two_generations.rows() == 120
    assert indexes(two_generations, "leaderboard") == names


def test_publish_after_a_rollback_works(two_generations):
    assert main(["rollback", "leaderboard"]) == 0
    two_generations.fill(130)
    two_generations.run()
    assert (two_generations.rows(), two_generations.rows("leaderboard_old_bkp")) == (130, 100)


def test_rollback_to_far_fewer_rows_needs_to_be_asked_for(two_generations, capsys):
    two_generations.query("delete from leaderboard_old_bkp where platform_id > 'p3'")
    left = two_generations.rows("leaderboard_old_bkp")
    assert left < 60
    assert main(["rollback", "leaderboard"]) == 1
    assert f"share of live: {left} of 120 rows" in capsys.readouterr().err
    assert two_generations.rows() == 120
    assert main(["rollback", "leaderboard", "--accept-fewer-rows"]) == 0
    assert two_generations.rows() == left


def test_rollback_refuses_a_backup_that_is_missing_empty_or_of_another_shape(two_generations, capsys):
    two_generations.query("alter table leaderboard_old_bkp drop column handle")
    assert main(["rollback", "leaderboard"]) == 1
    assert "other columns than leaderboard: handle" in capsys.readouterr().err
    two_generations.query("truncate leaderboard_old_bkp; alter table leaderboard_old_bkp add column handle text")
    assert main(["rollback", "leaderboard", "--accept-fewer-rows"]) == 1
    assert "has no earlier published generation" in capsys.readouterr().err
    two_generations.query("drop table leaderboard_old_bkp")
    assert main(["rollback", "leaderboard"]) == 1
    assert "no previous generation" in capsys.readouterr().err
    assert two_generations.rows() == 120


def test_history_shows_what_is_live_and_what_a_rollback_would_restore(two_generations, capsys):
    assert main(["history", "leaderboard"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "publish " in line]
    assert "120" in lines[0] and "live" in lines[0]
    assert "100" in lines[1] and "previous" in lines[1]
    main(["rollback", "leaderboard"])
    capsys.readouterr()
    main(["history", "leaderboard"])
    out = capsys.readouterr().out
    newest = next(line for line in out.splitlines() if "rollback" in line)
    assert "100" in newest and "live" in newest


def test_status_shows_every_table_and_how_old_its_data_is(two_generations, capsys):
    assert main(["status", "--environment", "prod"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "120" in next(line for line in lines if line.startswith("leaderboard "))
    assert "never" in next(line for line in lines if line.startswith("group_metrics "))


def test_verify_agrees_after_a_publish_and_finds_one_changed_value(two_generations, capsys):
    assert main(["verify", "leaderboard"]) == 0
    assert "120 rows agree" in capsys.readouterr().out
    two_generations.query("update leaderboard set followers = followers + 1 where platform_id = 'p5'")
    two_generations.query("update leaderboard set category = 'x' where platform_id = 'p6'")
    assert main(["verify", "leaderboard"]) == 3
    out = capsys.readouterr().out
    assert "sum followers" in out
    assert "non-null category" in out
    assert "p5: followers is 50 in the mart, 51 in leaderboard" in out


def test_verify_samples_other_rows_with_another_seed_and_the_same_with_the_same(two_generations, capsys):
    two_generations.query("update leaderboard set views = 1")

    def rows_of(seed):
        assert main(["verify", "leaderboard", "--sample", "10", "--seed", seed]) == 3
        return re.findall(r"^row (.*): views is", capsys.readouterr().out, re.M)

    first, again, other = rows_of("1"), rows_of("1"), rows_of("2")
    assert len(first) == len(other) == 10
    assert first == again
    assert first != other


def test_the_command_prints_its_result_and_nothing_of_the_libraries(two_generations):
    done = subprocess.run(
        [sys.executable, "-m", "stir.serving", "verify", "leaderboard"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("leaderboard (prod): 120 rows agree")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_verify_finds_a_missing_and_an_extra_row(two_generations, capsys):
    two_generations.query("delete from leaderboard where platform_id = 'p7'")
    assert main(["verify", "leaderboard"]) == 3
    out = capsys.readouterr().out
    assert "rows: 120 in dbt.mart_leaderboard, 119 in leaderboard" in out
    assert "p7 is missing in leaderboard" in out
    two_generations.query(
        "insert into leaderboard (month, platform, profile_platform, platform_id, followers) "
        "values ('2026-10-01', 'INSTAGRAM', 'YA', 'p7', 70), ('2026-10-01', 'INSTAGRAM', 'IA', 'stranger', 5)"
    )
    assert main(["verify", "leaderboard"]) == 3
    out = capsys.readouterr().out
    assert "rows: 120 in dbt.mart_leaderboard, 121 in leaderboard" in out
    assert "sum followers" in out


def test_status_tells_a_stale_table_and_the_refusal_since(two_generations, capsys, monkeypatch):
    for told_by in ("serving_ledger", "serving_refusals"):  # what other tests have published here is not looked at
        two_generations.query(f"delete from {told_by} where target != 'leaderboard'")
    limit = two_generations.target.stale_after
    two_generations.fill(3)
    with pytest.raises(AirflowFailException, match="share of live"):
        two_generations.run()
    assert main(["status", "--environment", "prod"]) == 0
    told = capsys.readouterr().out  # the reason is folded over the lines of its cell, between words
    assert "guard:" in told
    assert "fresh" in told
    two_generations.query(f"update serving_ledger set mart_built_at = now() - interval '{limit * 60 + 5:.0f} min'")
    assert main(["status", "--environment", "prod"]) == 4
    assert f"STALE, limit {limit:g} h" in capsys.readouterr().out
    monkeypatch.setenv("AIRFLOW_CONN_STAGE_PG", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 9}')
    assert main(["status"]) == 1, "an environment that does not answer does not hide the other"
    said = capsys.readouterr()
    assert "STALE" in said.out
    assert "staging: connection to server" in said.err


def test_status_tells_a_lost_table_from_one_that_was_never_published(two_generations, capsys):
    def standing():
        code = main(["status", "--environment", "prod"])
        lines = capsys.readouterr().out.splitlines()
        return code, next(line for line in lines if line.startswith("leaderboard ")), "\n".join(lines)

    for told_by in ("serving_ledger", "serving_refusals"):
        two_generations.query(f"delete from {told_by} where target != 'leaderboard'")
    two_generations.query("drop table leaderboard cascade")
    code, line, everything = standing()
    assert (code, "LOST: no table" in line) == (4, True)
    two_generations.query("create table leaderboard (like leaderboard_old_bkp)")
    code, line, _ = standing()
    assert (code, "LOST: other table" in line) == (4, True)
    assert everything.count("never published") == len(TARGETS) - 1


@pytest.mark.parametrize("arguments", [["--help"], ["rollback", "--help"]])
def test_help_explains(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "leaderboard" in capsys.readouterr().out or arguments == ["--help"]


def test_server_that_is_away_gives_one_sentence(monkeypatch, capsys, serving_servers):
    monkeypatch.setenv(
        "AIRFLOW_CONN_STAGE_PG", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "schema": "x"}'
    )
    assert main(["history", "leaderboard", "--environment", "staging"]) == 1
    assert "staging: connection to server" in capsys.readouterr().err
