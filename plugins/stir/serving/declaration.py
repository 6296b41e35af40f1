"""What a serving target is: everything that the export, load, checks, swap, DDL and tests of one table are generated
from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

LONGEST_IDENTIFIER = 63
"""Bytes that PostgreSQL keeps of a name; it cuts longer ones silently, so that two of them may collide."""

BACKUP_SUFFIX = "_old_bkp"
MOST_GENERATIONS = 9
"""Previous generations that a target may keep: their numbers have one digit."""


def backup_suffix(number: int) -> str:
    """What follows the table's name in that of its previous generation `number`, 1 being the last one replaced."""
    return BACKUP_SUFFIX if number == 1 else f"{BACKUP_SUFFIX}_{number}"


LONGEST_INDEX_NAME = LONGEST_IDENTIFIER - len(backup_suffix(MOST_GENERATIONS))
LONGEST_TABLE_NAME = LONGEST_IDENTIFIER - len("_tmp_0123456789_99")
"""A run's working table and its indexes are called `<table>_tmp_<digest>` and `..._<number>`."""

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


class Origin(StrEnum):
    """Where the value of a column comes from."""

    MART = "mart"
    ENRICHMENT = "enrichment"
    DEFAULT = "default"


class Form(StrEnum):
    """How a value travels: decides the cleaning in the export and the cast in the load."""

    TEXT = "text"
    FLOAT = "float"
    JSON = "json"
    PLAIN = "plain"


FORM_OF_TYPE = {"text": Form.TEXT, "double precision": Form.FLOAT, "jsonb": Form.JSON}
PLAIN_TYPES = ("bigint", "integer", "boolean", "date", "timestamp", "timestamptz", "numeric", "bigserial")
CLICKHOUSE_TYPES = {
    "text": r"String|FixedString\(\d+\)|UUID|Enum8\(.*\)|Date(32)?",
    "bigint": r"U?Int(8|16|32|64)",
    "integer": r"U?Int(8|16)|Int32",
    "double precision": r"Float(32|64)",
    "numeric": r"Decimal.*|U?Int(8|16|32|64|128|256)",
    "boolean": r"Bool|UInt8",
    "date": r"Date(32)?",
    "timestamp": r"Date(32)?|DateTime(64)?(\(.*\))?",
    "timestamptz": r"DateTime(64)?(\(.*\))?",
    "jsonb": r"(Map|Array|Tuple)\(.*\)|String",
}
"""Per PostgreSQL type, the ClickHouse types whose every value it can hold (a UInt64 above 2^63-1 makes the load
refuse).
"""


class DeclarationError(ValueError):
    """A declaration contradicts itself; the message names the target, the column or index, and what to change."""


@dataclass(frozen=True)
class Column:
    """One column of the serving table.

    `clickhouse` is the type of the mart's column as dbt and DESCRIBE write it, for columns of origin `mart`; `of` is
    that column's name where it is another one, `expression` what is exported of it where it is not the value itself.
    `derived` says that it is a column of the target's `rows` query and not of the mart. `absent` takes the place of
    NULL. `overlaid` allows enrichments to give a value too. `default` is SQL, for columns that the load leaves out.
    """

    name: str
    postgres: str
    clickhouse: str = ""
    of: str = ""
    expression: str = ""
    derived: bool = False
    absent: int | str | None = None
    overlaid: bool = False
    required: bool = False
    default: str = ""
    origin: Origin = Origin.MART

    @property
    def form(self) -> Form:
        return FORM_OF_TYPE.get(self.postgres, Form.PLAIN)

    @property
    def source(self) -> str:
        """ClickHouse expression before cleaning."""
        return self.expression or f"`{self.mart_column}`"

    @property
    def mart_column(self) -> str:
        """The column of the mart, or of the target's `rows` query, that this one is made of."""
        return self.of or self.name

    @property
    def ddl(self) -> str:
        """Column definition as in CREATE TABLE."""
        parts = [self.name, self.postgres]
        if self.required:
            parts.append("not null")
        if self.default:
            parts.append(f"default {self.default}")
        return " ".join(parts)


SERIAL_ID = Column("id", "bigserial", required=True, origin=Origin.DEFAULT)
ENABLED = Column("enabled", "boolean", required=True, default="true", origin=Origin.DEFAULT)
"""The product switches single rows off until the next generation."""


def enriched(name: str, postgres: str, **more: Any) -> Column:
    """A column that only enrichments fill."""
    return Column(name, postgres, origin=Origin.ENRICHMENT, **more)


@dataclass(frozen=True)
class Enrichment:
    """Columns taken from a base table of the serving database.

    Rows of the target for which `when` holds (SQL over alias `staged`) are matched by `on` = `key` (a column of
    `table`, with a cast where it needs one). Several rows of `table` with one key: the lowest `id` wins, so that a row
    of the target never multiplies. `columns` maps target column to columns of `table`, of which the first that is not
    NULL counts; for an overlaid column they come before the mart's value, those of `fallbacks` after it.
    """

    table: str
    key: str
    on: str
    when: str
    columns: dict[str, str | tuple[str, ...]]
    fallbacks: dict[str, str | tuple[str, ...]] = field(default_factory=dict)

    def values(self, column: str) -> tuple[list[str], list[str]]:
        """SQL of what the table gives for one column of the target: before the mart's value, and after it."""
        return self._qualified(self.columns.get(column, ())), self._qualified(self.fallbacks.get(column, ()))

    @property
    def filled(self) -> set[str]:
        """Columns of the target that get a value from here."""
        return {*self.columns, *self.fallbacks}

    @property
    def read(self) -> set[str]:
        """Columns of `table` that are needed."""
        named = [_listed(value) for value in (*self.columns.values(), *self.fallbacks.values())]
        return {"id", self.key.split("::")[0], *(name for names in named for name in names)}

    def _qualified(self, columns: str | tuple[str, ...]) -> list[str]:
        return [f"{self.table}.{name}" for name in _listed(columns)]


@dataclass(frozen=True)
class Index:
    """One index with its permanent name."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    primary: bool = False


@dataclass(frozen=True)
class Guards:
    """What must hold before a new generation replaces the live one."""

    minimum_rows: int = 1
    minimum_share: float = 0.5
    """Rows of the new generation / rows of the live one. The first load is exempt."""


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that a try of each step may take."""

    freshness: int = 1800
    """How long a run waits for the mart to be rebuilt before it is skipped."""
    export: int = 1800
    fetch: int = 1000
    load: int = 3600
    index: int = 3600
    swap: int = 600
    """How long the swap keeps trying to get its lock."""
    vacuum: int = 3000
    abandoned: int = 4 * 3600
    """Age at which what a run left behind belongs to nobody; longer than any run may take."""


@dataclass(frozen=True)
class Target:
    """One serving table and how it is filled from one mart.

    `staging_mart` is the mart for the staging database, where it has one of its own. `rows` is a ClickHouse query over
    `{mart}` whose rows are exported in place of the mart's, `reads` the mart's columns that it needs beside the
    exported ones. `incremental`: dbt adds to the mart, so its build is known by what was inserted. `keep` is SQL over
    the enriched row (`staged` and the enrichments' tables); rows for which it does not hold are left out.
    """

    name: str
    mart: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[Index, ...]
    newest_event: str
    """ClickHouse scalar query for the newest event time inside, over `{mart}`, with `{built_at}` for its build time."""
    staging_mart: str = ""
    rows: str = ""
    reads: dict[str, str] = field(default_factory=dict)
    incremental: bool = False
    keep: str = ""
    enrichments: tuple[Enrichment, ...] = ()
    guards: Guards = field(default_factory=Guards)
    limits: TimeLimits = field(default_factory=TimeLimits)
    previous_generations: int = 1
    """How many replaced generations stay for a rollback."""
    stale_after: float = 28
    """Hours: how old the mart of the live generation may be before `status` calls the table stale. The default suits a
    mart that is built once a day: a day, the build's head start on the sync, and the time a run may take.
    """

    def __post_init__(self) -> None:
        _check_names(self)
        _check_columns(self)
        _check_references(self)

    @property
    def exported(self) -> tuple[Column, ...]:
        """Columns that travel from the mart, in file order."""
        return tuple(column for column in self.columns if column.origin is Origin.MART)

    @property
    def enriched(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.origin is Origin.ENRICHMENT)

    @property
    def overlaid(self) -> set[str]:
        """Columns of the mart that an enrichment may give another value."""
        return {column.name for column in self.exported if column.overlaid}

    @property
    def relation(self) -> str:
        """What the export reads, after FROM: the mart, or the query over it."""
        return f"({self.rows.format(mart=self.mart)})" if self.rows else self.mart

    def in_environment(self, name: str) -> Target:
        """The same target with the mart that this environment is filled from."""
        if name == "staging" and self.staging_mart:
            return replace(self, mart=self.staging_mart, staging_mart="")
        return self

    @property
    def backup(self) -> str:
        """Name of the previous generation."""
        return self.previous_generation(1)

    def previous_generation(self, number: int) -> str:
        """Name of the table that holds previous generation `number`."""
        return self.name + backup_suffix(number)

    @property
    def mart_database(self) -> str:
        return self.mart.split(".")[0]

    @property
    def mart_table(self) -> str:
        return self.mart.split(".")[1]


def _check_names(target: Target) -> None:
    names = [target.name, *(column.name for column in target.columns), *(index.name for index in target.indexes)]
    for name in names:
        if not _IDENTIFIER.fullmatch(name):
            raise DeclarationError(f"target {target.name}: {name!r} is not a plain lower-case identifier")
    limits = {target.name: LONGEST_TABLE_NAME} | {index.name: LONGEST_INDEX_NAME for index in target.indexes}
    for name, longest in limits.items():
        if len(name) > longest:
            raise DeclarationError(
                f"target {target.name}: name {name!r} has {len(name)} characters; at most {longest}, so that the names "
                f"of working tables and previous generations still fit into PostgreSQL's {LONGEST_IDENTIFIER}"
            )
    if not 1 <= target.previous_generations <= MOST_GENERATIONS:
        raise DeclarationError(
            f"target {target.name}: previous_generations is {target.previous_generations}; 1 to {MOST_GENERATIONS}"
        )
    for kind, group in (("column", target.columns), ("index", target.indexes)):
        seen: set[str] = set()
        for entry in group:
            if entry.name in seen:
                raise DeclarationError(f"target {target.name}: {kind} {entry.name!r} is declared twice")
            seen.add(entry.name)
    for mart in (target.mart, target.staging_mart or target.mart):
        if mart.count(".") != 1:
            raise DeclarationError(f"target {target.name}: mart {mart!r} must be <database>.<table>")


def _check_columns(target: Target) -> None:
    for column in target.columns:
        if column.form is Form.PLAIN and column.postgres not in PLAIN_TYPES:
            raise DeclarationError(f"target {target.name}: column {column.name} has unknown type {column.postgres!r}")
        if column.origin is not Origin.MART:
            continue
        bare = bare_type(column.clickhouse)
        if not re.fullmatch(CLICKHOUSE_TYPES[column.postgres], bare):
            raise DeclarationError(
                f"target {target.name}: column {column.name}: ClickHouse type {column.clickhouse!r} does not fit into "
                f"{column.postgres}"
            )
        if column.required and column.clickhouse.startswith("Nullable(") and column.absent is None:
            raise DeclarationError(
                f"target {target.name}: column {column.name} is required here but nullable in the mart"
            )


def _check_references(target: Target) -> None:
    known = {column.name: column for column in target.columns}
    for index in target.indexes:
        missing = [name for name in index.columns if name not in known]
        if missing:
            raise DeclarationError(f"target {target.name}: index {index.name} names unknown columns {missing}")
    for name in target.key:
        if name not in known or not known[name].required:
            raise DeclarationError(f"target {target.name}: key column {name!r} must be a required column")
    _check_enrichments(target)


def _check_enrichments(target: Target) -> None:
    expected = {column.name for column in target.enriched} | target.overlaid
    for enrichment in target.enrichments:
        unknown = enrichment.filled - expected
        if unknown:
            raise DeclarationError(
                f"target {target.name}: enrichment from {enrichment.table} fills {sorted(unknown)}, "
                "which are not columns of origin enrichment and not overlaid"
            )
    unfilled = expected - {name for enrichment in target.enrichments for name in enrichment.filled}
    if unfilled:
        raise DeclarationError(f"target {target.name}: no enrichment fills {sorted(unfilled)}")
    tables = [enrichment.table for enrichment in target.enrichments]
    if len(set(tables)) < len(tables):
        raise DeclarationError(f"target {target.name}: one enrichment per base table, there are {tables}")
    if target.keep and not target.enrichments:
        raise DeclarationError(f"target {target.name}: keep needs an enrichment; filter the mart's rows by `rows`")


def _listed(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else columns


def bare_type(clickhouse_type: str) -> str:
    """The type without Nullable(...) and LowCardinality(...)."""
    bare = clickhouse_type
    while match := re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", bare):
        bare = match[1]
    return bare
