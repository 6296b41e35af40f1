"""Packets of ClickHouse's native TCP protocol, seen from the server, over clickhouse_driver's readers and writers.

The revision offered to clients is 54440: the newest one whose block layout is that of the engine's Native format, so
that the engine's blocks travel untouched in both directions.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from clickhouse_driver.block import BlockInfo
from clickhouse_driver.bufferedreader import BufferedSocketReader
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.defines import BUFFER_SIZE
from clickhouse_driver.protocol import ClientPacketTypes, ServerPacketTypes
from clickhouse_driver.reader import read_binary_str, read_binary_uint8
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_int32, write_binary_str, write_binary_uint8

from devstack.clickhouse.engine import Outcome
from devstack.clickhouse.errors import ClickHouseError
from devstack.clickhouse.native_blocks import REVISION, skip_block

SETTING_IS_IMPORTANT = 1


@dataclass(frozen=True)
class Hello:
    client: str
    revision: int
    database: str
    user: str
    password: str


@dataclass(frozen=True)
class Query:
    text: bytes
    settings: Mapping[str, str]
    important: bool  # unknown settings are errors
    compressed: bool


class ProtocolError(Exception):
    """The client sent something that this server does not understand; the connection has to end."""


class _RecordingSocket:
    """Passes reads through and keeps what was read while `recorded` is not None."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.recorded: bytearray | None = None

    def recv_into(self, buffer: bytearray) -> int:
        count = self._connection.recv_into(buffer)
        if self.recorded is not None:
            self.recorded += memoryview(buffer)[:count]
        return count


class Wire:
    """One connection: reads the client's packets, writes the server's. `flush` sends what was written."""

    def __init__(self, connection: socket.socket) -> None:
        self._source = _RecordingSocket(connection)
        self._reader = BufferedSocketReader(self._source, BUFFER_SIZE)
        self._writer = BufferedSocketWriter(connection, BUFFER_SIZE)

    def flush(self) -> None:
        self._writer.flush()

    # -- from the client ------------------------------------------------------------------------------------------

    def read_packet_type(self) -> int:
        return read_varint(self._reader)

    def read_hello(self) -> Hello:
        packet = self.read_packet_type()
        if packet != ClientPacketTypes.HELLO:
            raise ProtocolError(f"expected Hello, got packet {packet}")
        client = read_binary_str(self._reader)
        read_varint(self._reader)  # major
        read_varint(self._reader)  # minor
        revision = read_varint(self._reader)
        database, user, password = (read_binary_str(self._reader) for _ in range(3))
        return Hello(client, revision, database, user, password)

    def read_query(self) -> Query:
        """The body of a Query packet at revision 54440."""
        read_binary_str(self._reader)  # query id: the engine gives its own
        if read_binary_uint8(self._reader):  # query kind; 0 means no client information
            for _ in range(3):  # initial user, query id, address
                read_binary_str(self._reader)
            read_binary_uint8(self._reader)  # interface
            for _ in range(3):  # OS user, host, client name
                read_binary_str(self._reader)
            for _ in range(3):  # major, minor, revision
                read_varint(self._reader)
            read_binary_str(self._reader)  # quota key
            read_varint(self._reader)  # patch
        settings: dict[str, str] = {}
        important = False
        while name := read_binary_str(self._reader):
            important |= bool(read_binary_uint8(self._reader) & SETTING_IS_IMPORTANT)
            settings[name] = read_binary_str(self._reader)
        read_varint(self._reader)  # stage
        compressed = bool(read_varint(self._reader))
        size = read_varint(self._reader)
        return Query(bytes(self._reader.read(size)), settings, important, compressed)

    def read_block(self) -> bytes:
        """The block of the next Data packet in Native format, or nothing for the one that ends a series."""
        packet = self.read_packet_type()
        if packet == ClientPacketTypes.CANCEL:
            raise ClickHouseError(394, "Query was cancelled by the client", "QUERY_WAS_CANCELLED")
        if packet != ClientPacketTypes.DATA:
            raise ProtocolError(f"expected Data, got packet {packet}")
        read_binary_str(self._reader)  # table name, of external tables only
        BlockInfo().read(self._reader)
        unread = bytes(self._reader.buffer[self._reader.position : self._reader.current_buffer_size])
        self._source.recorded = bytearray(unread)
        try:
            layout = skip_block(self._reader)
            left = self._reader.current_buffer_size - self._reader.position
            block = bytes(self._source.recorded[: len(self._source.recorded) - left])
        finally:
            self._source.recorded = None
        return block if layout.columns else b""

    # -- to the client --------------------------------------------------------------------------------------------

    def write_hello(self, version: str, timezone: str) -> None:
        major, minor, patch = (int(part) for part in version.split(".")[:3])
        write_varint(ServerPacketTypes.HELLO, self._writer)
        write_binary_str("ClickHouse", self._writer)
        write_varint(major, self._writer)
        write_varint(minor, self._writer)
        write_varint(REVISION, self._writer)
        write_binary_str(timezone, self._writer)
        write_binary_str("stir-local", self._writer)
        write_varint(patch, self._writer)

    def write_pong(self) -> None:
        write_varint(ServerPacketTypes.PONG, self._writer)

    def write_exception(self, error: ClickHouseError) -> None:
        write_varint(ServerPacketTypes.EXCEPTION, self._writer)
        write_binary_int32(error.code, self._writer)
        write_binary_str("DB::Exception", self._writer)
        write_binary_str(f"DB::Exception: {error.message} ({error.name})", self._writer)
        write_binary_str("", self._writer)  # stack trace
        write_binary_uint8(0, self._writer)  # nested

    def write_header(self, columns: list[tuple[str, str]]) -> None:
        """A block without rows: names and types of what follows, or of what an INSERT expects."""
        self._start_data()
        write_varint(len(columns), self._writer)
        write_varint(0, self._writer)
        for name, type_name in columns:
            write_binary_str(name, self._writer)
            write_binary_str(type_name, self._writer)

    def write_block(self, block: bytes) -> None:
        """A block in Native format, as the engine made it."""
        self._start_data()
        self._writer.write(block)

    def _start_data(self) -> None:
        write_varint(ServerPacketTypes.DATA, self._writer)
        write_binary_str("", self._writer)
        BlockInfo().write(self._writer)

    def write_progress(self, outcome: Outcome) -> None:
        write_varint(ServerPacketTypes.PROGRESS, self._writer)
        for number in (outcome.rows_read, outcome.bytes_read, 0, outcome.rows_written, outcome.bytes_written):
            write_varint(number, self._writer)

    def write_end_of_stream(self) -> None:
        write_varint(ServerPacketTypes.END_OF_STREAM, self._writer)
