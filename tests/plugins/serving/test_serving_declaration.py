"""Declarations that contradict themselves are refused with the name of what to change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stir.serving import load
from stir.serving.declaration import MOST_GENERATIONS, Column, DeclarationError, Enrichment, Index, Origin
from stir.serving.export import StagingFormat
from stir.serving.fetch import clean_up_command
from stir.serving.generations import backup_index
from stir.serving.load import parts_of
from stir.serving.naming import PRODUCTION, STAGING, RunNames, advisory_key, object_folder, working_table_pattern
from stir.serving.settings import ServingSettings
from stir.serving.targets import TARGETS, target_named
from stir.serving.targets.leaderboard import LEADERBOARD

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "leaderboard; drop table x"}, "not a plain lower-case identifier"),
        ({"name": "l" * 60}, "has 60 characters; at most 45"),
        ({"indexes": (Index("leaderboard_" + "x" * 50, ("id",)),)}, "has 62 characters; at most 53"),
        ({"indexes": (Index("leaderboard_by_rank", ("rank_of_nothing",)),)}, "unknown columns"),
        ({"key": ("month", "handle")}, "key column 'handle' must be a required column"),
        ({"mart": "mart_leaderboard"}, "must be <database>.<table>"),
        ({"columns": (*LEADERBOARD.columns, Column("month", "timestamp", "Date"))}, "'month' is declared twice"),
        ({"columns": (*LEADERBOARD.columns, Column("x", "bigint", "Nullable(Float64)"))}, "does not fit into bigint"),
        (
            {"columns": (*LEADERBOARD.columns, Column("x", "bigint", "Nullable(Int64)", required=True))},
            "nullable in the mart",
        ),
        ({"columns": (*LEADERBOARD.columns, Column("x", "money", "Int64"))}, "unknown type 'money'"),
        ({"columns": (*LEADERBOARD.columns, Column("x", "text", origin=Origin.ENRICHMENT))}, "no enrichment fills"),
        (
            {"enrichments": (Enrichment("a", "b", "platform_id", "true", {"followers": "followers"}),)},
            "not columns of origin enrichment",
        ),
        ({"enrichments": LEADERBOARD.enrichments * 2}, "one enrichment per base table"),
        ({"previous_generations": 10}, "previous_generations is 10; 1 to 9"),
        ({"previous_generations": 0}, "previous_generations is 0; 1 to 9"),
        ({"staging_mart": "mart_staging"}, "must be <database>.<table>"),
        ({"columns": (*LEADERBOARD.columns, Column("x", "bigint", "Int64", overlaid=True))}, "no enrichment fills"),
    ],
)
def test_contradictions_are_named(change, complaint):
    with pytest.raises(DeclarationError, match=complaint):
        replace(LEADERBOARD, **change)


def test_every_target_is_found_by_its_name_and_an_unknown_one_lists_them():
    assert all(target_named(name).name == name for name in TARGETS)
    with pytest.raises(KeyError, match=r"there are: .*leaderboard"):
        target_named("leader_board")


def test_names_of_two_runs_never_meet():
    first = RunNames(LEADERBOARD, PRODUCTION, "sync_leaderboard_prod", "scheduled__2026-11-20T20:15:00+00:00")
    second = RunNames(LEADERBOARD, PRODUCTION, "sync_leaderboard_prod", "scheduled__2026-11-21T20:15:00+00:00")
    keys = {
        names.object_key("p", attempt, StagingFormat.TAB_SEPARATED) for names in (first, second) for attempt in (1, 2)
    }
    assert len(keys) == 4
    assert first.working_table != second.working_table
    assert len({first.file_name(key) for key in keys}) == 4
    # Two run ids that look the same once the key has only plain characters.
    alike = [
        RunNames(LEADERBOARD, PRODUCTION, "d", run).object_key("p", 1, StagingFormat.TAB_SEPARATED)
        for run in ("a+b", "a:b")
    ]
    assert alike[0] != alike[1]


def test_production_and_staging_share_no_object():
    assert object_folder("p", LEADERBOARD, PRODUCTION) == "p/prod/leaderboard/"
    assert object_folder("p", LEADERBOARD, STAGING) == "p/staging/leaderboard/"


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_every_name_fits_into_postgres(target):
    names = RunNames(target, PRODUCTION, "d", "r")
    generated = [names.staged_table + "_l", names.working_table]
    generated += [target.previous_generation(number) for number in range(1, MOST_GENERATIONS + 1)]
    generated += [names.working_index(number) for number in range(len(target.indexes))]
    generated += [
        backup_index(index.name, number) for index in target.indexes for number in range(1, MOST_GENERATIONS + 1)
    ]
    assert max(len(name.encode()) for name in generated) <= 63
    assert len(set(generated)) == len(generated)


def test_long_names_of_foreign_indexes_stay_apart_and_fit():
    """Case 44: a name of 63 bytes, and two that differ in their last letter only."""
    names = ["i" * 62 + "a", "i" * 62 + "b", "é" * 31 + "a"]
    backups = {backup_index(name, number) for name in names for number in (1, 2, 9)}
    assert len(backups) == 9
    assert max(len(name.encode()) for name in backups) <= 63


def test_patterns_of_one_target_do_not_match_another():
    import re

    longer = replace(LEADERBOARD, name="leaderboard_tmp")
    assert re.search(working_table_pattern(LEADERBOARD), RunNames(LEADERBOARD, PRODUCTION, "d", "r").working_table)
    assert not re.search(working_table_pattern(LEADERBOARD), RunNames(longer, PRODUCTION, "d", "r").working_table)
    assert advisory_key(LEADERBOARD) != advisory_key(longer)


def test_shell_commands_quote_what_comes_from_variables():
    command = clean_up_command(
        LEADERBOARD,
        PRODUCTION,
        bucket="b'; rm -rf /",
        prefix="p",
        folder="/srv/x y",
        digest="0123456789",
        older_than_minutes=1,
    )
    assert "folder='/srv/x y'" in command
    assert """bucket='b'"'"'; rm -rf /'""" in command


def test_unknown_staging_format_is_named(monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_STAGING_FORMAT", "Parquet")
    with pytest.raises(
        ValueError, match=r"serving_staging_format.*'Parquet'; expected one of TabSeparated, JSONEachRow"
    ):
        ServingSettings.from_variables()


@pytest.mark.parametrize("value", ["0", "17", "1.5", "nan"])
def test_number_of_sessions_that_cannot_be_is_named(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", value)
    with pytest.raises(ValueError, match=rf"serving_load_sessions.*'{value}'; expected a whole number from 1 to 16"):
        ServingSettings.from_variables()


def test_lines_are_split_into_as_many_parts_as_there_are_sessions_and_none_is_empty(monkeypatch):
    assert parts_of(load.WORTH_SPLITTING - 1, 2) == 1
    assert parts_of(load.WORTH_SPLITTING, 2) == 2
    monkeypatch.setattr(load, "WORTH_SPLITTING", 0)
    for rows in range(70):
        for sessions in range(1, 17):
            parts = parts_of(rows, sessions)
            assert 1 <= parts <= sessions
            assert rows <= 1 or 0 < rows - (parts - 1) * -(-rows // parts) <= -(-rows // parts)
    assert parts_of(1_000_000, 16) == 16
