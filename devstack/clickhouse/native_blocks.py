"""Blocks in Native format: where they and their columns begin and end, and the names of their types.

The engine writes Native as for the oldest clients, which knew no time zone in a type: DateTime('Asia/Kolkata') becomes
DateTime. `restore_zones` puts the names back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from clickhouse_driver.bufferedreader import BufferedSocketReader
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.context import Context
from clickhouse_driver.errors import Error
from clickhouse_driver.reader import read_binary_str
from clickhouse_driver.varint import read_varint, write_varint

REVISION = 54440  # the newest protocol revision whose block layout is that of the engine's Native format


class _ServerSide:
    """What clickhouse_driver's columns ask about the other side."""

    used_revision = REVISION

    @staticmethod
    def get_timezone() -> str:
        return "UTC"


def _context() -> Context:
    """Settings under which every column can be read whatever its bytes are."""
    context = Context()
    context.client_settings = {
        "strings_as_bytes": True,
        "strings_encoding": "utf-8",
        "use_numpy": False,
        "input_format_null_as_default": False,
        "namedtuple_as_json": False,
        "server_side_params": False,
    }
    context.settings = {}
    context.server_info = _ServerSide()
    return context


_CONTEXT = _context()


@dataclass(frozen=True)
class BlockLayout:
    """Names and types of a block's columns, and where in the reader's buffer each type name begins and ends."""

    columns: list[tuple[str, str]]
    type_positions: list[tuple[int, int]]


def skip_block(reader: BufferedSocketReader) -> BlockLayout:
    """Read one block in Native format to its end."""
    count = read_varint(reader)
    rows = read_varint(reader)
    columns, positions = [], []
    for _ in range(count):
        name = read_binary_str(reader)
        start = reader.position
        type_name = read_binary_str(reader)
        positions.append((start, reader.position))
        columns.append((name, type_name))
        if rows:
            _skip_column(reader, type_name, rows)
    return BlockLayout(columns, positions)


_WIDTHS = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date", "Enum16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "IPv4"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("UInt256", "Int256"), 32),
}
_NULLABLE = re.compile(r"Nullable\((.*)\)", re.DOTALL)


def _skip_column(reader: BufferedSocketReader, type_name: str, rows: int) -> None:
    """Numbers and times by their width, which is many times faster; all others by clickhouse_driver's columns."""
    nullable = _NULLABLE.fullmatch(type_name)
    width = _WIDTHS.get((nullable.group(1) if nullable else type_name).split("(", 1)[0])
    if width is None:
        read_column(_CONTEXT, type_name, rows, reader)
    else:
        reader.read(rows * (width + bool(nullable)))


class _Memory:
    """Bytes in memory in the place of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._given = 0

    def recv_into(self, buffer: bytearray) -> int:
        piece = self._data[self._given : self._given + len(buffer)]
        memoryview(buffer)[: len(piece)] = piece
        self._given += len(piece)
        return len(piece)


def _blocks_in(body: bytes) -> Iterator[tuple[BlockLayout, slice]]:
    """Layout and place of each block of a whole result; type positions are offsets in `body`."""
    if not body:
        return
    reader = BufferedSocketReader(_Memory(body), len(body))  # one read takes it all: positions are offsets
    start = 0
    while start < len(body):
        layout = skip_block(reader)
        yield layout, slice(start, reader.position)
        start = reader.position


def split_blocks(body: bytes) -> Iterator[tuple[BlockLayout, bytes]]:
    """The blocks of a whole result in Native format, one by one."""
    for layout, place in _blocks_in(body):
        yield layout, body[place]


_ZONE = re.compile(r"DateTime\('[^']*'\)")


def has_zones(types: Sequence[str]) -> bool:
    return any(_ZONE.search(type_name) for type_name in types)


def restore_zones(body: bytes, types: Sequence[str]) -> bytes:
    """The blocks with those of `types`, one per column, that differ from the blocks' own only by a time zone.

    Blocks with a column that clickhouse_driver cannot read come back as they are.
    """
    pieces: list[bytes] = []
    done = 0
    try:
        for layout, _ in _blocks_in(body):
            for (start, end), (_, own), wanted in zip(layout.type_positions, layout.columns, types, strict=True):
                if own != wanted and _ZONE.sub("DateTime", wanted) == own:
                    pieces += [body[done:start], _string(wanted)]
                    done = end
    except Error:
        return body
    return b"".join([*pieces, body[done:]])


def _string(text: str) -> bytes:
    encoded = text.encode()
    length = BytesIO()
    write_varint(len(encoded), length)
    return length.getvalue() + encoded
