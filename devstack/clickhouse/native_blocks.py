"""Where the columns of a block in Native format begin and end, found without interpreting their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clickhouse_driver.bufferedreader import BufferedSocketReader
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.context import Context
from clickhouse_driver.reader import read_binary_str
from clickhouse_driver.varint import read_varint

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
    """Names and types of a block's columns, and its number of rows."""

    columns: list[tuple[str, str]]
    rows: int


def skip_block(reader: BufferedSocketReader) -> BlockLayout:
    """Read one block in Native format to its end."""
    count = read_varint(reader)
    rows = read_varint(reader)
    columns = []
    for _ in range(count):
        name, type_name = read_binary_str(reader), read_binary_str(reader)
        columns.append((name, type_name))
        if rows:
            read_column(_CONTEXT, type_name, rows, reader)
    return BlockLayout(columns, rows)


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


def split_blocks(body: bytes) -> Iterator[tuple[BlockLayout, bytes]]:
    """The blocks of a whole result in Native format, one by one."""
    if not body:
        return
    reader = BufferedSocketReader(_Memory(body), len(body))  # one read takes it all: positions are offsets
    start = 0
    while start < len(body):
        layout = skip_block(reader)
        yield layout, body[start : reader.position]
        start = reader.position
