"""Putting a previous generation back, guarded like a publish."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from stir.serving import guards, swap
from stir.serving.catalog import column_types, relation_exists, swap_blockers
from stir.serving.database import connect
from stir.serving.manifest import PublishRefused
from stir.serving.naming import ENVIRONMENTS, RunNames
from stir.serving.swap import SwapOutcome
from stir.serving.targets import TARGETS

if TYPE_CHECKING:
    import psycopg2.extensions


def roll_back(
    connection: psycopg2.extensions.connection,
    names: RunNames,
    *,
    patience: float,
    accept_fewer_rows: bool = False,
    generation: int = 1,
) -> SwapOutcome:
    """Make previous generation `generation` the live table in one transaction. The live one becomes generation 1, so
    a second rollback to generation 1 ends where the first began.

    Raises PublishRefused when there is no such generation or it is empty, its columns are not the live table's, its key
    is not unique and not null, something on the live table would be left behind, or it has too few rows
    (`accept_fewer_rows` skips the share guard only).
    """
    target = names.target
    previous = target.previous_generation(generation)

    def check(cursor: psycopg2.extensions.cursor) -> int:
        if not relation_exists(cursor, previous):
            raise PublishRefused(f"{target.name} has no previous generation {generation}: there is no table {previous}")
        live, backup = column_types(cursor, target.name), column_types(cursor, previous)
        if live != backup:
            differing = sorted(name for name in live.keys() | backup.keys() if live.get(name) != backup.get(name))
            raise PublishRefused(f"{previous} has other columns than {target.name}: {', '.join(differing)}")
        rows, live_rows = guards.count(cursor, previous), guards.count(cursor, target.name)
        if not rows:  # what the first generation replaced
            raise PublishRefused(f"{target.name} has no earlier published generation: {previous} is empty")
        problems = guards.size_problems(target, rows, 0 if accept_fewer_rows else live_rows)
        nulls = guards.key_nulls(cursor, target, previous)
        duplicates, example = guards.key_duplicates(cursor, target, previous)
        if nulls or duplicates:
            problems.append(f"key: {nulls:,} rows with NULL, {duplicates:,} duplicates {example}".rstrip())
        problems += [f"in the way: {blocker}" for blocker in swap_blockers(cursor, target.name)]
        guards.refuse(target, problems)
        return rows

    return swap.roll_back(connection, names, check, patience=patience, generation=generation)


def roll_back_as_asked(params: dict[str, Any], dag_run: Any, **_: Any) -> dict[str, Any]:
    """Task of the DAG that a person starts: `params` is its form. Returns what happened.

    Raises AirflowFailException with the guards' reasons when the rollback is refused: another try would not help.
    """
    from airflow.sdk.exceptions import AirflowFailException

    target, environment = TARGETS[params["table"]], ENVIRONMENTS[params["environment"]]
    names = RunNames(target, environment, dag_run.dag_id, dag_run.run_id)
    try:
        with closing(connect(environment, f"{target.name}:rollback")) as connection:
            outcome = roll_back(
                connection,
                names,
                patience=target.limits.swap,
                accept_fewer_rows=bool(params["accept_fewer_rows"]),
                generation=int(params.get("generation", 1)),
            )
    except PublishRefused as refusal:
        raise AirflowFailException(str(refusal)) from refusal
    return {"table": target.name, "environment": environment.name, "locked_ms": round(outcome.locked_ms, 1)}
