"""What a serving target is: everything that the export, load, checks, swap, DDL and tests of one table are generated
from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

LONGEST_IDENTIFIER = 63
"""Bytes that PostgreSQL keeps of a name; it cuts longer ones silently, so that two of them may collide."""

BACKUP_SUFFIX = "_old_bkp"
LONGEST_NAME = LONGEST_IDENTIFIER - len(BACKUP_SUFFIX)

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
    "text": r"String|FixedString\(\d+\)|UUID|Enum8\(.*\)",
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

    `clickhouse` is the mart's type as dbt and DESCRIBE write it, for columns of origin `mart`. `expression` replaces
    the mart's column of the same name. `default` is SQL, for columns that the load leaves out.
    """

    name: str
    postgres: str
    clickhouse: str = ""
    expression: str = ""
    required: bool = False
    default: str = ""
    origin: Origin = Origin.MART

    @property
    def form(self) -> Form:
        return FORM_OF_TYPE.get(self.postgres, Form.PLAIN)

    @property
    def source(self) -> str:
        """ClickHouse expression before cleaning."""
        return self.expression or f"`{self.name}`"

    @property
    def ddl(self) -> str:
        """Column definition as in CREATE TABLE."""
        parts = [self.name, self.postgres]
        if self.required:
            parts.append("not null")
        if self.default:
            parts.append(f"default {self.default}")
        return " ".join(parts)


@dataclass(frozen=True)
class Enrichment:
    """Columns taken from a base table of the serving database.

    Rows of the target for which `when` holds (SQL over alias `staged`) are matched by `on` = `key`. Several rows of
    `table` with one key: the lowest `id` wins, so that a row of the target never multiplies. `columns` maps target
    column to `table` column.
    """

    table: str
    key: str
    on: str
    when: str
    columns: dict[str, str]


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
    """One serving table and how it is filled from one mart."""

    name: str
    mart: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[Index, ...]
    newest_event: str
    """ClickHouse scalar query for the newest event time inside, with `{built_at}` for the mart's build time."""
    enrichments: tuple[Enrichment, ...] = ()
    guards: Guards = field(default_factory=Guards)
    limits: TimeLimits = field(default_factory=TimeLimits)

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
    def backup(self) -> str:
        """Name of the previous generation."""
        return self.name + BACKUP_SUFFIX

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
    for name in (target.name, *(index.name for index in target.indexes)):
        if len(name) > LONGEST_NAME:
            raise DeclarationError(
                f"target {target.name}: name {name!r} has {len(name)} characters; at most {LONGEST_NAME}, so that "
                f"{BACKUP_SUFFIX!r} still fits into PostgreSQL's {LONGEST_IDENTIFIER}"
            )
    for kind, group in (("column", target.columns), ("index", target.indexes)):
        seen: set[str] = set()
        for entry in group:
            if entry.name in seen:
                raise DeclarationError(f"target {target.name}: {kind} {entry.name!r} is declared twice")
            seen.add(entry.name)
    if target.mart.count(".") != 1:
        raise DeclarationError(f"target {target.name}: mart {target.mart!r} must be <database>.<table>")


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
        if column.required and column.clickhouse.startswith("Nullable("):
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
    enriched = {column.name for column in target.enriched}
    for enrichment in target.enrichments:
        unknown = set(enrichment.columns) - enriched
        if unknown:
            raise DeclarationError(
                f"target {target.name}: enrichment from {enrichment.table} fills {sorted(unknown)}, "
                "which are not columns of origin enrichment"
            )
    unfilled = enriched - {name for enrichment in target.enrichments for name in enrichment.columns}
    if unfilled:
        raise DeclarationError(f"target {target.name}: no enrichment fills {sorted(unfilled)}")


def bare_type(clickhouse_type: str) -> str:
    """The type without Nullable(...) and LowCardinality(...)."""
    bare = clickhouse_type
    while match := re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", bare):
        bare = match[1]
    return bare
