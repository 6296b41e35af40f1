"""Export of a mart to one S3 object, by ClickHouse itself.

Rules for values that PostgreSQL cannot hold, the same in both formats:
- text: U+0000 is removed; a run of invalid UTF-8 (lone surrogates among it) becomes one U+FFFD;
- JSON: the escape of U+0000 is removed, the escape of a lone surrogate becomes the escape of U+FFFD;
- floating point: NaN and infinity become NULL, within JSON null;
- DateTime64 and Date32: what lies before the year 1 becomes NULL (ClickHouse has a year 0, PostgreSQL has none);
- NULL becomes what the declaration names in its place, if it names anything.
How many values they touched is counted in the manifest. Whole numbers, all other dates and NULLs pass unchanged.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

import re
from enum import StrEnum

from stir.serving.declaration import Column, Form, Target, bare_type

NAMED_COLLECTION = "stir_exports"


NOTED_BUILD = "build_before_export"

PACKED = ".zst"
"""Objects are compressed: rank maps shrink, and each hop with them. ClickHouse takes the method from the name."""


class StagingFormat(StrEnum):
    """Format of the exported object; the value is what the Variable `serving_staging_format` holds."""

    TAB_SEPARATED = "TabSeparated"
    JSON_LINES = "JSONEachRow"

    @property
    def extension(self) -> str:
        return {"TabSeparated": "tsv", "JSONEachRow": "jsonl"}[self.value] + PACKED


EXPORT_SETTINGS: dict[str, str | int] = {
    # Numbers and dates look the same whatever the server's defaults become.
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "output_format_tsv_crlf_end_of_line": 0,
    "format_tsv_null_representation": "\\N",
    "date_time_output_format": "simple",
    "session_timezone": "UTC",
    "output_format_compression_level": 1,
    # Rows are wide (two maps of 32 ranks): with the default block 300,000 rows take 1.5 GB, with this a quarter.
    "max_block_size": 8192,
    # Queries over a mart sort and group on disk above this, so that an export needs the same memory at any size.
    "max_bytes_before_external_sort": 400_000_000,
    "max_bytes_before_external_group_by": 400_000_000,
    # An object is written once: a key that exists is an error, neither overwritten nor extended.
    "s3_truncate_on_insert": 0,
    "s3_create_new_file_on_insert": 0,
}

MAP_OF_WHOLE_NUMBERS = re.compile(r"Map\(String, U?Int(8|16|32|64)\)")
"""Only the keys can need cleaning. Writing a rank map as JSON once more, just to count, takes longer than all else."""

FIRST_MOMENT = {
    "DateTime64": "toDateTime64('0001-01-01 00:00:00', 6, 'UTC')",
    "Date32": "toDate32('0001-01-01')",
}
"""The first moment that PostgreSQL's years reach, for the types that begin earlier. A ClickHouse whose types begin
later reads it as their first moment, and then nothing is cleaned.
"""

_SURROGATE_PAIR = r"\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ANY_ESCAPE = r"\\\\u[0-9a-fA-F]{4}|\\\\."
_LONE_SURROGATE = r"^\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}$"


def cleaned(column: Column) -> str:
    """ClickHouse expression of the value that PostgreSQL can hold."""
    if column.form is Form.TEXT:
        return clean_text(_as_text(column))
    if column.form is Form.FLOAT:
        return f"if(isFinite({column.source}), {column.source}, NULL)"
    if column.form is Form.JSON:
        return _clean_json(_as_json(column))
    if early := _too_early(column):
        return f"if({early}, NULL, {column.source})"
    return column.source


def exported_value(column: Column) -> str:
    """ClickHouse expression of the value as it is exported. An overlaid column keeps its NULL for the enrichment."""
    if column.absent is None or column.overlaid:
        return cleaned(column)
    absent = quoted(column.absent) if isinstance(column.absent, str) else str(column.absent)
    if column.postgres in ("timestamp", "timestamptz"):
        absent = f"toDateTime64({absent}, 6, 'UTC')"
    return f"ifNull({cleaned(column)}, {absent})"


def export_statement(target: Target, key: str, staging_format: StagingFormat) -> str:
    """INSERT of all rows of the target into the object `key` of the named collection's bucket."""
    columns = ",\n    ".join(f"{exported_value(column)} as `{column.name}`" for column in target.exported)
    return (
        f"insert into function s3({NAMED_COLLECTION}, filename = {quoted(key)}, format = '{staging_format}')\n"
        f"select\n    {columns}\nfrom {target.relation}"
    )


def note_build_statement(target: Target, sums: str) -> str:
    """Note which build of the mart is about to be exported, its rows and its sums (an array of texts), in a temporary
    table of this connection.
    """
    return (
        f"create temporary table {NOTED_BUILD} as\n"
        f"with (select (count(), {sums}) from {target.relation}) as noted\n"
        f"select build, built_at, noted.1 as rows, noted.2 as sums from (\n{build_statement(target)}\n)"
    )


def source_state_statement(target: Target, key: str) -> str:
    """One row: key, identity of the build before the export, its build time (Unix seconds) and rows, identity now, 0,
    its sums, its newest event time (Unix milliseconds), the number of values that were cleaned.

    It fails when the two differ, so that the task's next try exports again.
    """
    rebuilt = f"{target.mart} was rebuilt while it was exported"
    return (
        f"select {quoted(key)} as object_key, noted.build, noted.built_at, noted.rows, current.build,\n"
        f"    throwIf(noted.build != current.build, {quoted(rebuilt)}),\n"
        f"    noted.sums,\n"
        # Subqueries that give one value are run before the rows are read, so before the look at the present build.
        f"    toUnixTimestamp64Milli(toDateTime64(({newest_event(target)}), 3, 'UTC')),\n"
        f"    ({cleaned_values_statement(target)})\n"
        f"from {NOTED_BUILD} as noted cross join ({build_statement(target)}) as current"
    )


def newest_event(target: Target) -> str:
    """The declaration's query for the newest event time, bounded by the time of the build that was noted."""
    return target.newest_event.format(
        mart=target.mart, built_at=f"toDateTime((select built_at from {NOTED_BUILD}), 'UTC')"
    )


def build_statement(target: Target) -> str:
    """Identity of the mart's present build and its time (Unix seconds); no row when there is no such table.

    What dbt rebuilds is another table each time. What it adds to stays the same one: there the newest block of each
    partition tells what was inserted, whatever was merged since.
    """
    table = f"database = {quoted(target.mart_database)} and {{name}} = {quoted(target.mart_table)}"
    build, built_at = "toString(uuid)", "metadata_modification_time"
    if target.incremental:
        parts = f"system.parts where active and {table.format(name='table')}"
        newest = f"select partition_id, max(max_block_number) as block from {parts} group by partition_id"
        inserted = f"(select sum(cityHash64(partition_id, block)) from ({newest}))"
        build = f"concat({build}, ' ', toString({inserted}))"
        built_at = f"greatest({built_at}, (select max(modification_time) from {parts}))"
    return (
        f"select {build} as build, toUnixTimestamp({built_at}) as built_at\n"
        f"from system.tables where {table.format(name='name')}"
    )


def cleaned_values_statement(target: Target) -> str:
    """Number of values that the cleaning rules change, over all rows of the target."""
    counts = []
    for column in target.exported:
        if column.form is Form.TEXT:
            counts.append(f"countIf({clean_text(_as_text(column))} != {_as_text(column)})")
        elif column.form is Form.FLOAT:
            counts.append(f"countIf(not isFinite({column.source}))")
        elif MAP_OF_WHOLE_NUMBERS.fullmatch(column.clickhouse) and not column.expression:
            keys = f"arrayStringConcat(mapKeys({column.source}), ' ')"  # the space keeps their bytes apart
            counts.append(f"countIf({clean_text(keys)} != {keys})")
        elif column.form is Form.JSON:
            endless = "" if column.expression else _not_finite(column.source, column.clickhouse)
            changed = f"{_clean_json(_as_json(column))} != {_as_json(column)}"
            counts.append(f"countIf({changed}{endless and ' or ' + endless})")
        elif early := _too_early(column):
            counts.append(f"countIf({early})")
    return f"select {' + '.join(counts) or '0'} from {target.relation}"


def quoted(text: str) -> str:
    """A ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _as_text(column: Column) -> str:
    return column.source if bare_type(column.clickhouse) == "String" else f"toString({column.source})"


def _as_json(column: Column) -> str:
    return column.source if bare_type(column.clickhouse) == "String" else f"toJSONString({column.source})"


def _not_finite(value: str, kind: str, depth: int = 0) -> str:
    """ClickHouse condition: somewhere in a value of a map or array is a NaN or an infinity, which JSON writes as null
    unasked. Empty for types without floating point.
    """
    if re.fullmatch(r"(Nullable\()?Float(32|64)\)?", kind):
        return f"not ifNull(isFinite({value}), 1)"
    container = re.fullmatch(r"(Array\(|Map\(String, )(.*)\)", kind)
    inside = _not_finite(f"inside_{depth}", container[2], depth + 1) if container else ""
    if not inside:
        return ""
    values = f"mapValues({value})" if kind.startswith("Map") else value
    return f"arrayExists(inside_{depth} -> {inside}, {values})"


def _too_early(column: Column) -> str:
    """ClickHouse condition for dates that PostgreSQL does not know; empty for types that have none."""
    first = FIRST_MOMENT.get(bare_type(column.clickhouse).split("(")[0], "")
    return f"{column.source} < {first}" if first and not column.expression else ""


def clean_text(expression: str) -> str:
    """ClickHouse expression of a text that PostgreSQL can hold."""
    return f"toValidUTF8(replaceAll({expression}, '\\0', ''))"


def _clean_json(expression: str) -> str:
    text = clean_text(expression)
    tokens = f"extractAll(assumeNotNull({text}), '{_SURROGATE_PAIR}|{_ANY_ESCAPE}|[^\\\\\\\\]+')"
    clean = (
        f"arrayStringConcat(arrayMap(token -> multiIf(token = '\\\\u0000', '', "
        f"match(token, '{_LONE_SURROGATE}'), '\\\\ufffd', token), {tokens}))"
    )
    return f"if(position({expression}, '\\\\u') > 0, {clean}, {text})"
