"""Load of the fetched file into a working table, and its enrichment: SQL for PostgreSQL, each text one transaction."""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

from collections.abc import Sequence

from stir.serving.declaration import Column, Form, Origin, Target
from stir.serving.export import StagingFormat
from stir.serving.naming import RunNames, advisory_key

EXACT_JSON_COPY = r"with (format csv, quote e'\x01', delimiter e'\x02', encoding 'UTF8')"
"""JSON lines as one CSV column whose quote and delimiter cannot occur in JSON: text COPY would eat the backslashes."""

FAST_COMPRESSION = """do $lz4$ begin
  if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any(enumvals)) then
    perform set_config('default_toast_compression', 'lz4', true);
  end if;
end $lz4$"""
"""Compressing rank maps is half of the load's work; lz4, where the server has it, takes a fraction of pglz's time."""

NOTICE_LOST_CLIENT = """do $lost$ begin
  if exists (select from pg_settings where name = 'client_connection_check_interval') then
    perform set_config('client_connection_check_interval', '2s', true);
  end if;
end $lost$"""
"""A session in the middle of COPY hears nothing of its client; this one ends soon after a worker that was killed."""

WORTH_SPLITTING = 50_000
"""Rows below which more sessions save less time than it takes to connect them."""


def parts_of(rows: int, sessions: int) -> int:
    """Files into which `rows` lines are split for so many sessions. Each gets rows / parts lines, rounded up, the last
    one the rest; none is empty.
    """
    if rows < max(WORTH_SPLITTING, 2):
        return 1
    lines = -(-rows // sessions)
    return -(-rows // lines)


def load_transactions(names: RunNames, paths: Sequence[str], staging_format: StagingFormat) -> list[str]:
    """The load of the files at `paths`: of one, `load_statements`; of several, what creates the table, then for each
    file what loads it.

    Those run side by side, under a lock that another session holds. They cannot write frozen rows: that takes a table
    which the same transaction has created.
    """
    if len(paths) == 1:
        return [load_statements(names, paths[0], staging_format)]
    parts = [
        [
            f"-- part {number} of {len(paths)}\n{FAST_COMPRESSION}",
            NOTICE_LOST_CLIENT,
            *_fill(names, path, staging_format),
        ]
        for number, path in enumerate(paths, start=1)
    ]
    return [_transaction(statements) for statements in (_create(names), *parts)]


def load_statements(names: RunNames, path: str, staging_format: StagingFormat) -> str:
    """COPY of the file at `path` (on the server's disk) into a fresh table of this run.

    Without enrichments that table is the working table, else the staged one. The table is created in the same
    transaction, so a failure leaves nothing and COPY may write frozen rows.
    """
    return _transaction(
        [
            one_writer(names.target),
            FAST_COMPRESSION,
            *_create(names),
            *_fill(names, path, staging_format, freeze=True),
        ]
    )


def enrichment_statements(names: RunNames) -> str:
    """Working table = staged rows joined with the base tables, without those that the target does not keep. The
    staged table stays until the clean-up, so a retry works.

    One row per staged row: a base table with several rows of one key contributes its lowest id.
    """
    target = names.target
    if not target.enrichments:
        return f"select 'nothing to enrich: {target.name} declares no enrichment';"
    columns = [*target.exported, *target.enriched]
    joins = []
    for number, enrichment in enumerate(target.enrichments):
        joins.append(
            f"left join (select {enrichment.key} as key, min(id) as id from {enrichment.table}\n"
            f"    where {enrichment.key} is not null group by {enrichment.key}) as first_{number}\n"
            f"    on first_{number}.key = staged.{enrichment.on} and {enrichment.when}\n"
            f"left join {enrichment.table} on {enrichment.table}.id = first_{number}.id"
        )
    if target.keep:
        joins.append(f"where {target.keep}")
    values = [_enriched_value(target, column) for column in columns]
    return _transaction(
        [
            one_writer(target),
            f"drop table if exists {names.working_table}",
            _create_working(names),
            f"insert into {names.working_table} ({', '.join(column.name for column in columns)})\n"
            f"select {', '.join(values)}\nfrom {names.staged_table} as staged\n" + "\n".join(joins),
        ]
    )


def one_writer(target: Target) -> str:
    """Statement that takes the target's advisory lock for this transaction or fails at once, saying so."""
    return (
        "do $lock$ begin\n"
        f"  if not pg_try_advisory_xact_lock({advisory_key(target)}) then\n"
        f"    raise exception 'another run is writing {target.name} right now' using errcode = 'lock_not_available';\n"
        "  end if;\nend $lock$"
    )


def typed_select(target: Target, lines: str) -> str:
    """Typed values of the jsonb rows `data` of table `lines`.

    jsonb_to_record takes each row apart once, where one `data->>'name'` per column would decompress it each time.
    """
    fields = ", ".join(
        f"{column.name} {'text' if column.form is Form.JSON else column.postgres}" for column in target.exported
    )
    values = ", ".join(
        f"field.{column.name}{'::jsonb' if column.form is Form.JSON else ''}" for column in target.exported
    )
    return f"select {values}\nfrom {lines}, jsonb_to_record({lines}.data) as field({fields})"


def literal(text: str) -> str:
    """A PostgreSQL string literal."""
    escaped = text.replace("'", "''")
    return f"e'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"


def _transaction(statements: Sequence[str]) -> str:
    return ";\n".join(statements) + ";"


def _create(names: RunNames) -> list[str]:
    """Statements that create the table that COPY fills. Whatever an earlier try of this run left is dropped."""
    return [
        f"drop table if exists {names.staged_table}, {names.working_table}",
        _create_staged(names) if names.target.enrichments else _create_working(names),
    ]


def _fill(names: RunNames, path: str, staging_format: StagingFormat, *, freeze: bool = False) -> list[str]:
    """Statements that bring the lines of one file into that table."""
    table = names.staged_table if names.target.enrichments else names.working_table
    columns = ", ".join(column.name for column in names.target.exported)
    if staging_format is StagingFormat.TAB_SEPARATED:
        options = f"format text, {'freeze true, ' if freeze else ''}encoding 'UTF8'"
        return [f"copy {table} ({columns}) from {literal(path)} with ({options})"]
    lines = f"{names.staged_table}_l"
    return [
        f"create temporary table {lines} (data jsonb not null) on commit drop",
        f"copy {lines} (data) from {literal(path)} {EXACT_JSON_COPY}",
        f"insert into {table} ({columns})\n{typed_select(names.target, lines)}",
    ]


def _create_staged(names: RunNames) -> str:
    columns = ", ".join(f"{column.name} {column.postgres}" for column in names.target.exported)
    return (
        f"create table {names.staged_table} ({columns});\n"
        f"comment on table {names.staged_table} is {literal(names.tag())}"
    )


def _create_working(names: RunNames) -> str:
    """Like the live table. NULLs in required columns are let in here, so that the guards can count them."""
    table = names.working_table
    nullable = ", ".join(
        f"alter column {column.name} drop not null" for column in names.target.exported if column.required
    )
    return (
        f"create table {table} (like {names.target.name} including defaults including constraints including generated "
        f"including comments including storage including compression);\n"
        + (f"alter table {table} {nullable};\n" if nullable else "")
        + f"comment on table {table} is {literal(names.tag())}"
    )


def _enriched_value(target: Target, column: Column) -> str:
    """What the column ends with: the base tables' value, the mart's, a base table's fallback, the declared absence."""
    given = [enrichment.values(column.name) for enrichment in target.enrichments]
    sources = [value for before, _ in given for value in before]
    if column.origin is Origin.MART:
        sources.append(f"staged.{column.name}")
    sources += [value for _, after in given for value in after]
    if column.absent is not None and len(sources) > 1:
        sources.append(literal(column.absent) if isinstance(column.absent, str) else str(column.absent))
    return f"coalesce({', '.join(sources)})" if len(sources) > 1 else sources[0]
