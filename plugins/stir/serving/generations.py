"""Previous generations of a serving table: what they are called, and how they move along when one comes or goes.

Generation 1 is the one that was replaced last. Each keeps its table's oid, its comment (who replaced it, when) and its
indexes, whose names follow the table's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stir.serving.catalog import index_names, relation_exists
from stir.serving.declaration import LONGEST_INDEX_NAME, MOST_GENERATIONS, Target, backup_suffix
from stir.serving.manifest import PublishRefused
from stir.serving.naming import RunNames

if TYPE_CHECKING:
    import psycopg2.extensions

SHORTENED_DIGEST = 10


def kept(cursor: psycopg2.extensions.cursor, target: Target) -> list[int]:
    """Numbers of the previous generations that exist, newest first; also of those beyond what the target keeps now."""
    return [
        number
        for number in range(1, MOST_GENERATIONS + 1)
        if relation_exists(cursor, target.previous_generation(number))
    ]


def make_room(cursor: psycopg2.extensions.cursor, target: Target) -> None:
    """Free generation 1 in the caller's transaction: the others move on by one, those beyond the target's limit go.

    Raises PublishRefused when one that has to go cannot be dropped.
    """
    places = dict(zip(kept(cursor, target), range(2, MOST_GENERATIONS + 2), strict=False))
    for number, place in list(places.items()):
        if place > target.previous_generations:
            _drop(cursor, target.previous_generation(number))
            del places[number]
    # Gaps are closed from the near end, then the others move away from the far end: no place is taken twice.
    closing = [number for number, place in places.items() if place < number]
    leaving = [number for number, place in places.items() if place > number]
    for number in (*closing, *reversed(leaving)):
        _move(cursor, target, number, places[number])


def take_out(cursor: psycopg2.extensions.cursor, target: Target, number: int, names: RunNames) -> dict[str, str]:
    """Make generation `number` the working table of a run, and move the newer ones on by one to where it was.

    Returns the names of its indexes, each with the permanent one that it had when the generation was live.
    """
    cursor.execute(f"alter table {target.previous_generation(number)} rename to {names.working_table}")
    indexes = {}
    for place, name in enumerate(index_names(cursor, names.working_table)):  # they make room for other generations'
        cursor.execute(f'alter index "{name}" rename to "{names.working_index(place)}"')
        indexes[names.working_index(place)] = permanent_index(name, number)
    for newer in reversed([each for each in kept(cursor, target) if each < number]):
        _move(cursor, target, newer, newer + 1)
    return indexes


def backup_index(name: str, number: int = 1) -> str:
    """Name of a live table's index once the table is generation `number`. Names that are too long for the suffix end
    in a digest of the whole, so that two of them stay two.
    """
    longest = LONGEST_INDEX_NAME
    if len(name.encode()) > longest:
        digest = hashlib.sha256(name.encode()).hexdigest()[:SHORTENED_DIGEST]
        start = name.encode()[: longest - SHORTENED_DIGEST - 1].decode(errors="ignore")
        name = f"{start}_{digest}"
    return name + backup_suffix(number)


def permanent_index(name: str, number: int) -> str:
    """The name that `backup_index` was given, or the shortened one where that was too long."""
    return name.removesuffix(backup_suffix(number))


def _move(cursor: psycopg2.extensions.cursor, target: Target, number: int, place: int) -> None:
    table = target.previous_generation(place)
    cursor.execute(f"alter table {target.previous_generation(number)} rename to {table}")
    for name in index_names(cursor, table):
        cursor.execute(f'alter index "{name}" rename to "{backup_index(permanent_index(name, number), place)}"')


def _drop(cursor: psycopg2.extensions.cursor, table: str) -> None:
    import psycopg2

    try:
        cursor.execute(f"drop table {table}")
    except psycopg2.errors.DependentObjectsStillExist as error:
        raise PublishRefused(
            f"the previous generation {table} cannot be dropped: {error.diag.message_detail}"
        ) from error
