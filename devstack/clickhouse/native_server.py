"""Serves the native TCP protocol: one thread and one engine session per connection."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator

from clickhouse_driver.protocol import ClientPacketTypes

from devstack.clickhouse.engine import Engine, Outcome, Session
from devstack.clickhouse.errors import ClickHouseError
from devstack.clickhouse.login import Login
from devstack.clickhouse.native_blocks import split_blocks
from devstack.clickhouse.native_wire import ProtocolError, Query, Wire
from devstack.clickhouse.statement import Kind, Statement, parse

log = logging.getLogger(__name__)

_NAME = r"""(?:`(?:[^`\\]|\\.)+`|"(?:[^"\\]|\\.)+"|[A-Za-z_]\w*)"""
_INSERT_HEAD = re.compile(
    rf"""\s*INSERT\s+INTO\s+(?:TABLE\s+)?
    (?:(?P<function>FUNCTION\s+)(?P<call>\w+\s*\(.*\)) | (?P<table>{_NAME}(?:\s*\.\s*{_NAME})?))
    \s*(?:\((?P<columns>.*?)\))?\s*(?:SETTINGS\b.*)?$""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


class NativeServer:
    """Accepts connections on a listening socket until it is closed."""

    def __init__(self, engine: Engine, login: Login, listener: socket.socket) -> None:
        self._engine = engine
        self._login = login
        self._listener = listener
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._guard = threading.Lock()
        self._closing = False

    def start(self) -> None:
        threading.Thread(target=self._accept, name="native-accept", daemon=True).start()

    def stop_accepting(self) -> None:
        self._closing = True
        _shut(self._listener)
        self._listener.close()

    def close(self, seconds: float = 10.0) -> None:
        """Stop accepting, end every connection, and wait for the threads that serve them."""
        self.stop_accepting()
        with self._guard:
            connections, threads = list(self._connections), list(self._threads)
        for connection in connections:
            _shut(connection)
        for thread in threads:
            thread.join(seconds)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                log.exception("cannot accept a native connection")
                time.sleep(0.2)  # too many open files, most likely: some will be closed
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name="native", daemon=True)
            with self._guard:
                self._connections.add(connection)
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            NativeConnection(self._engine, self._login, Wire(connection)).serve()
        except (EOFError, ConnectionError, OSError):
            pass  # the client went away
        except ProtocolError as error:
            log.warning("native connection ended: %s", error)
            _read_to_end(connection)
        except Exception:
            log.exception("native connection ended by an unexpected failure")
        finally:
            connection.close()
            with self._guard:
                self._connections.discard(connection)
                self._threads.discard(threading.current_thread())


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _read_to_end(connection: socket.socket) -> None:
    """Let the client read what was sent: closing on unread input would make the kernel drop it."""
    try:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        while connection.recv(1 << 16):
            pass
    except OSError:
        return


class NativeConnection:
    """The conversation with one client."""

    def __init__(self, engine: Engine, login: Login, wire: Wire) -> None:
        self._engine = engine
        self._login = login
        self._wire = wire

    def serve(self) -> None:
        """Greet the client and answer it until it goes away (EOFError)."""
        hello = self._wire.read_hello()
        session = self._engine.session()
        try:
            try:
                self._login.check(hello.user, hello.password)
                if hello.database:
                    session.use(hello.database)
            except ClickHouseError as error:
                self._wire.write_exception(error)
                self._wire.flush()
                return
            self._wire.write_hello(self._engine.version, self._engine.timezone)
            self._wire.flush()
            while True:
                self._answer(session)
        finally:
            session.close()

    def _answer(self, session: Session) -> None:
        packet = self._wire.read_packet_type()
        if packet == ClientPacketTypes.PING:
            self._wire.write_pong()
        elif packet == ClientPacketTypes.CANCEL:
            return  # nothing runs: the answer was complete before the request to cancel it was read
        elif packet == ClientPacketTypes.QUERY:
            query = self._wire.read_query()
            if query.compressed:
                self._refuse_compression()
            try:
                self._run(session, query)
                self._wire.write_end_of_stream()
            except ClickHouseError as error:
                self._wire.write_exception(error)
        else:
            raise ProtocolError(f"unknown packet {packet}")
        self._wire.flush()

    def _refuse_compression(self) -> None:
        """Compressed blocks would follow, which this server cannot read: say so and end the connection."""
        message = "Compression is not supported by the local server: connect with compression=False"
        self._wire.write_exception(ClickHouseError(48, message, "NOT_IMPLEMENTED"))
        self._wire.flush()
        raise ProtocolError("a client asked for compression")

    def _run(self, session: Session, query: Query) -> None:
        self._read_external_tables()
        statement = parse(query.text)
        session.prepare(statement, query.settings, ignore_unknown=not query.important)
        if statement.kind is Kind.INSERT:
            self._insert(session, statement, query.text)
        elif statement.kind is Kind.SELECT:
            self._select(session, statement)
        else:
            outcome = session.run(statement, "Native")
            if statement.kind is Kind.ANSWER:
                self._answer_blocks(outcome)
            self._wire.write_progress(outcome)

    def _answer_blocks(self, outcome: Outcome) -> None:
        header_written = False
        for layout, block in split_blocks(outcome.body):
            if not header_written:
                self._wire.write_header(layout.columns)
                header_written = True
            self._wire.write_block(block)

    def _read_external_tables(self) -> None:
        """Clients end every query by an empty block; rows before it would be an external table."""
        refuse = False
        while self._wire.read_block():
            refuse = True
        if refuse:
            raise ClickHouseError(48, "External tables are not supported by the local server", "NOT_IMPLEMENTED")

    def _select(self, session: Session, statement: Statement) -> None:
        columns, blocks = session.stream(statement)
        self._wire.write_header(columns)
        for block in blocks:
            self._wire.write_block(block)

    def _insert(self, session: Session, statement: Statement, text: bytes) -> None:
        if rows := text[statement.data_at :].strip():  # the rows stand in the statement itself
            self._wire.write_progress(session.insert(statement, statement.format or "Values", [rows + b"\n"]))
            return
        self._wire.write_header(insert_columns(session, statement))
        self._wire.flush()
        self._wire.write_progress(session.insert(statement, "Native", self._blocks()))

    def _blocks(self) -> Iterator[bytes]:
        while block := self._wire.read_block():
            yield block


def insert_columns(session: Session, statement: Statement) -> list[tuple[str, str]]:
    """Names and types of the columns that an INSERT fills, in its order."""
    match = _INSERT_HEAD.match(statement.text)
    if match is None:
        raise ClickHouseError(62, f"Syntax error: cannot read the target of {statement.text[:80]}", "SYNTAX_ERROR")
    target, columns = match.group("call") or match.group("table"), match.group("columns")
    if match.group("function"):
        return session.columns(target)
    # S608: the client's own text, run with the client's own rights
    return session.columns(f"(SELECT {columns} FROM {target})" if columns else target)  # noqa: S608
