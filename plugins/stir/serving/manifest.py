"""The manifest: what exactly was exported, read back from the object store by ClickHouse.

The object is read back, not the mart: its rows must equal the mart's, and its size and SHA-256 are what the fetched
file must have.
"""

# ruff: noqa: S608 -- every name in these statements comes from a declaration that was checked

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stir.serving.declaration import Target
from stir.serving.export import NAMED_COLLECTION, quoted

ZSTD_DECODER_FAILED = 561
"""ClickHouse's code for a compressed object that ends early or is not one."""

ONE_STREAM = "settings max_download_threads = 1"
"""A packed object is unpacked, and summed up, from front to back: fetching its ranges side by side gains nothing, and
object stores charge, and some take, as much for a small range as for a large one.
"""

Query = Callable[[str], Sequence[Sequence[Any]]]


class PublishRefused(Exception):
    """A check says that this generation must not go live. The message says which and by how much; trying again is no
    use.
    """


@dataclass(frozen=True)
class Manifest:
    """What the object of one export holds. `bytes` is its size, `text_bytes` its size unpacked, `checksum` its SHA-256;
    times are Unix seconds, None when unknown. `parts`: files in which it is fetched and loaded. `sums`: those of
    `sums.sums_of` over the mart that was exported; none in the manifest of a run that an earlier version began.
    """

    key: str
    rows: int
    bytes: int
    text_bytes: int
    checksum: str
    columns: tuple[str, ...]
    build: str
    built_at: int
    newest_event_at: float | None
    cleaned_values: int
    parts: int = 1
    sums: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "columns": list(self.columns), "sums": list(self.sums)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Manifest:
        return cls(**{**values, "columns": tuple(values["columns"]), "sums": tuple(values.get("sums", ()))})


def lines_statement(key: str) -> str:
    """One row: lines of the object, and its bytes when unpacked."""
    return (
        "select count(), sum(length(line) + 1) "
        f"from s3({NAMED_COLLECTION}, filename = {quoted(key)}, format = 'LineAsString', structure = 'line String') "
        f"{ONE_STREAM}"
    )


def object_statement(key: str) -> str:
    """One row: bytes and SHA-256 of the object as it is stored. It is held in memory once, compressed."""
    return (
        "select length(object), lower(hex(SHA256(object))) "
        f"from s3({NAMED_COLLECTION}, filename = {quoted(key)}, format = 'RawBLOB', structure = 'object String', "
        f"compression_method = 'none') {ONE_STREAM}"
    )


def take_manifest(target: Target, exported: Sequence[Any], query: Query) -> Manifest:
    """Read the object back and describe it.

    `exported` is the row of `export.source_state_statement` as the export returned it; `query` runs one ClickHouse
    statement and returns its rows. Raises PublishRefused when the mart was empty, drifted from the declaration, or the
    object is not whole.
    """
    key, build, built_at, mart_rows, build_now = (
        exported[0],
        exported[1],
        int(exported[2]),
        int(exported[3]),
        exported[4],
    )
    if build != build_now:
        raise PublishRefused(f"{target.mart} was rebuilt while it was exported: run the export again")
    if mart_rows == 0:
        raise PublishRefused(f"{target.mart} is empty: 0 rows exported, at least {target.guards.minimum_rows} expected")
    refuse_drift(target, query)
    lines, text_size = read_lines(key, query)
    size, checksum = query(object_statement(key))[0]
    if int(lines) != mart_rows:
        raise PublishRefused(
            f"object {key} holds {int(lines):,} rows, {target.mart} has {mart_rows:,}: the export was cut short or the "
            "mart was rebuilt meanwhile; run the export again"
        )
    sums, newest, cleaned = exported[6:9] if len(exported) > 8 else ((), None, 0)  # by an earlier version
    return Manifest(
        key=key,
        rows=int(lines),
        bytes=int(size),
        text_bytes=int(text_size),
        checksum=str(checksum),
        columns=tuple(column.name for column in target.exported),
        build=build,
        built_at=built_at,
        newest_event_at=newest / 1000 if newest else None,
        cleaned_values=int(cleaned),
        sums=tuple(sums),
    )


def read_lines(key: str, query: Query) -> tuple[int, int]:
    """Lines and unpacked bytes of the object. Raises PublishRefused when it cannot be unpacked to its end."""
    try:
        lines, text_size = query(lines_statement(key))[0]
    except Exception as error:
        if getattr(error, "code", None) != ZSTD_DECODER_FAILED:
            raise
        raise PublishRefused(f"object {key} is cut short or damaged: {error}; run the export again") from error
    return int(lines), int(text_size)


def refuse_drift(target: Target, query: Query) -> None:
    """Compare the mart's columns, or those of the query over it, with the declaration. Raises PublishRefused naming
    each column that is gone or retyped.
    """
    actual = {row[0]: row[1] for row in query(f"describe table {target.relation}")}
    declared = {column.mart_column: column.clickhouse for column in target.exported}
    wrong = [
        f"{name} is {actual.get(name, 'missing')}, declared {kind}"
        for name, kind in declared.items()
        if actual.get(name) != kind
    ]
    if wrong:
        raise PublishRefused(
            f"{target.mart} drifted from the declaration of {target.name}: {'; '.join(wrong)}. Change the model back, "
            f"or plugins/stir/serving/targets/{target.name}.py together with the serving table"
        )
