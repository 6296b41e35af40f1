"""Names as long as a declaration may have: PostgreSQL cuts at 63 bytes without a word, and two names become one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.serving.ddl import table_ddl
from stir.serving.declaration import LONGEST_INDEX_NAME, LONGEST_TABLE_NAME, MOST_GENERATIONS
from stir.serving.naming import PRODUCTION
from stir.serving.sync_dag import serving_dag
from stir.serving.targets.leaderboard import LEADERBOARD

pytestmark = pytest.mark.integration


@pytest.fixture
def longest(publishing):
    """The leaderboard under names of the greatest length, which differ in their last letters only."""
    names = [f"{'i' * (LONGEST_INDEX_NAME - 1)}{number}" for number in range(len(LEADERBOARD.indexes))]
    indexes = [replace(index, name=name) for index, name in zip(LEADERBOARD.indexes, names, strict=True)]
    publishing.target = replace(
        LEADERBOARD, name="leaderboard".ljust(LONGEST_TABLE_NAME, "t"), indexes=tuple(indexes), previous_generations=2
    )
    publishing.dag = serving_dag(
        DagDeclaration(
            dag_id="sync_" + "d" * 200,
            kind=Kind.SERVING_SYNC,
            schedule=None,
            documentation=Documentation(purpose="A test.", inputs="-", outputs="-", on_failure="-"),
        ),
        publishing.target,
        PRODUCTION,
    )
    publishing.query(table_ddl(publishing.target))
    return publishing


def test_longest_names_of_table_and_indexes_survive_every_swap(longest):
    """Case 44: long identifiers."""
    target = longest.target
    for rows in (10, 11, 12, 13):
        longest.fill(rows)
        longest.dag.user_defined_macros["publication"].drop_leftovers(longest.run())
    generations = [target.name, target.previous_generation(1), target.previous_generation(2)]
    assert [longest.rows(name) for name in generations] == [13, 12, 11]
    assert {name for name in longest.tables() if name.startswith(target.name)} == set(generations)
    found = longest.query(
        "select indexrelid::regclass::text from pg_index where indrelid = %s::regclass", (target.name,)
    )
    assert {name for (name,) in found} == {index.name for index in target.indexes}
    assert len(target.previous_generation(MOST_GENERATIONS)) <= 63
