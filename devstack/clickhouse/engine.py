"""The embedded engine: one data directory, many sessions, each with its own database, settings and temporary tables."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chdb.state.sqlitelike import Connection

from devstack.clickhouse.errors import ClickHouseError
from devstack.clickhouse.native_blocks import has_zones, restore_zones
from devstack.clickhouse.statement import Kind, Statement

_Result = TypeVar("_Result")


@dataclass
class Outcome:
    """What one statement returned: the formatted result and how much was read and written (rows, bytes, seconds)."""

    body: bytes = b""
    rows_read: int = 0
    bytes_read: int = 0
    rows_written: int = 0
    bytes_written: int = 0
    result_rows: int = 0
    elapsed: float = 0.0


class EngineStartError(Exception):
    """The engine refused the data directory or the configuration; the message says why."""


def quote(value: str) -> str:
    """A ClickHouse string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """A ClickHouse identifier in backticks."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _call(function: Callable[..., _Result], *arguments: Any, **keywords: Any) -> _Result:
    """Call into the engine, turning its RuntimeError into a ClickHouseError."""
    try:
        return function(*arguments, **keywords)
    except RuntimeError as error:
        raise ClickHouseError.from_engine(error) from None


class Engine:
    """The engine of one data directory. Raises EngineStartError."""

    def __init__(self, data_directory: Path, configuration_file: Path) -> None:
        self._url = f"{data_directory.resolve()}?config-file={configuration_file.resolve()}"
        try:
            self._root = Connection(self._url)  # keeps the engine loaded while no session is open
        except (RuntimeError, ValueError) as error:
            raise EngineStartError(str(error)) from None
        self._root.query("SYSTEM FLUSH LOGS", "TSV")  # creates system.query_log, which would be missing at first
        self.version = self._root.query("SELECT version()", "TSVRaw").bytes().decode().strip()
        self.timezone = self._root.query("SELECT timezone()", "TSVRaw").bytes().decode().strip()

    def session(self) -> Session:
        """A new session in the database `default`."""
        return Session(_call(Connection, self._url))

    def kill_statements(self) -> None:
        """Cancel every statement that still runs: it ends with error 394."""
        self._root.query("KILL QUERY WHERE NOT startsWith(query, 'KILL QUERY') ASYNC", "TSV")

    def close(self) -> None:
        """Unload the engine. No session may be in use."""
        self._root.close()


class Session:
    """One client's state in the engine. Used by one thread at a time; hold `lock` while using it."""

    def __init__(self, connection: Connection) -> None:
        self.lock = threading.Lock()
        self._connection = connection
        self._database = "default"  # the session's own, as set by USE
        self._current_database = "default"  # the connection's at the moment
        self._saved: dict[str, str | None] = {}  # the session's own value of each setting that a request changed
        self._applied: dict[str, str] = {}
        self._unknown: set[str] = set()

    def close(self) -> None:
        self._connection.close()

    def prepare(
        self, statement: Statement, settings: Mapping[str, str], database: str = "", ignore_unknown: bool = False
    ) -> None:
        """Make database and settings those of one statement: they hold for it alone, the session's own stay.

        SET and USE change what is the session's own, so settings of the request are kept away from them.
        Unknown settings raise code 115, or are left out with `ignore_unknown`.
        """
        target = database or self._database
        if target != self._current_database:
            _call(self._connection.query, f"USE {quote_name(target)}", "TSV")
            self._current_database = target
        wanted = {} if statement.changes_session else dict(settings)
        if ignore_unknown:
            wanted = {name: value for name, value in wanted.items() if name not in self._unknown}
        if wanted == self._applied:
            return
        new = {name: value for name, value in wanted.items() if self._applied.get(name) != value}
        unsaved = [name for name in new if name not in self._saved]
        known = self._current_values(unsaved) if unsaved else {}
        if ignore_unknown:
            self._unknown.update(set(unsaved) - known.keys())
            new = {name: value for name, value in new.items() if name not in self._unknown}
        self._saved.update(known)
        for name in self._applied.keys() - wanted.keys():
            own = self._saved[name]
            self._set(name, "DEFAULT" if own is None else quote(own))
            del self._applied[name], self._saved[name]
        for name, value in sorted(new.items(), key=lambda item: item[0] == "readonly"):  # which forbids later ones
            self._set(name, quote(value))
            self._applied[name] = value

    def use(self, database: str) -> None:
        """Make a database the session's own. Raises ClickHouseError 81 if there is none of that name."""
        _call(self._connection.query, f"USE {quote_name(database)}", "TSV")
        self._database = self._current_database = database

    def _current_values(self, names: Iterable[str]) -> dict[str, str | None]:
        """Present values by name, None for a default, nothing for an unknown setting."""
        listed = ", ".join(quote(name) for name in names)
        # S608: every name is quoted
        rows = self._scalar(f"SELECT name, changed, value FROM system.settings WHERE name IN ({listed})")  # noqa: S608
        values: dict[str, str | None] = {}
        for line in rows.split("\n"):
            if line:
                name, changed, value = line.split("\t", 2)
                values[name] = value if changed == "1" else None
        return values

    def _set(self, name: str, literal: str) -> None:
        _call(self._connection.query, f"SET {quote_name(name)} = {literal}", "TSV")

    def set_parameter(self, name: str, value: str) -> None:
        """Give a `{name:Type}` placeholder its value, escaped as in a tab-separated file. Only INSERTs need this."""
        _call(self._connection.query, f"SET param_{name} = {quote(value)}", "TSV")

    def _scalar(self, sql: str) -> str:
        return _call(self._connection.query, sql, "TSVRaw").bytes().decode().rstrip("\n")

    def run(self, statement: Statement, format: str, parameters: Mapping[str, str] | None = None) -> Outcome:
        """Run a statement without rows of its own and return its whole result in `format`."""
        result = _call(self._connection.query, statement.text, format, params=dict(parameters or {}))
        if statement.words[:1] == ("USE",):
            self._database = self._current_database = self._scalar("SELECT currentDatabase()")
        body = result.bytes() or b""
        if format == "Native" and statement.kind is Kind.SELECT and b"DateTime" in body:
            body = restore_zones(body, self._types(statement, parameters))
        return Outcome(
            body=body,
            rows_read=result.storage_rows_read(),
            bytes_read=result.storage_bytes_read(),
            rows_written=result.rows_written(),
            bytes_written=result.bytes_written(),
            result_rows=result.rows_read() if statement.kind is not Kind.COMMAND else 0,
            elapsed=result.elapsed(),
        )

    def stream(
        self, statement: Statement, parameters: Mapping[str, str] | None = None
    ) -> tuple[list[tuple[str, str]], Iterator[bytes]]:
        """(names and types, Native blocks) of a SELECT; no block for an empty result. Any block may raise."""
        columns = self.columns(f"({statement.text}\n)", parameters)
        return columns, self._blocks(statement, [type_name for _, type_name in columns], parameters)

    def _blocks(self, statement: Statement, types: list[str], parameters: Mapping[str, str] | None) -> Iterator[bytes]:
        zones = has_zones(types)
        result = _call(self._connection.send_query, statement.text, "Native", params=dict(parameters or {}))
        try:
            while (chunk := _call(result.fetch)) is not None:
                yield restore_zones(chunk.bytes(), types) if zones else chunk.bytes()
        finally:
            result.close()

    def _types(self, statement: Statement, parameters: Mapping[str, str] | None) -> list[str]:
        return [type_name for _, type_name in self.columns(f"({statement.text}\n)", parameters)]

    def columns(self, source: str, parameters: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        """(name, type) of each column that `DESCRIBE TABLE <source>` lists and that an INSERT may fill."""
        described = _call(
            self._connection.query, f"DESCRIBE TABLE {source}", "JSONCompact", params=dict(parameters or {})
        )
        rows = json.loads(described.bytes())["data"]
        return [(row[0], row[1]) for row in rows if row[2] not in {"MATERIALIZED", "ALIAS"}]

    def insert(self, statement: Statement, format: str, chunks: Iterable[bytes]) -> Outcome:
        """Run an INSERT with rows in `format`, given in pieces cut anywhere. Raises ClickHouseError.

        A failing INSERT can leave earlier blocks of a long input in place, as on a server.
        The rows go through a file in memory: the engine's own streaming INSERT hides errors of constraints, of
        materialized views and of partitions and counts the lost rows as written; and rows that stand in the statement
        end for the engine at their first blank line, after which it runs the rest of them as SQL.
        """
        with os.fdopen(os.memfd_create("rows"), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            source = f"FROM INFILE '/proc/self/fd/{file.fileno()}' COMPRESSION 'none'"
            result = _call(
                self._connection.query, f"{statement.text} {source} {statement.settings} FORMAT {format}", "TSV"
            )
        return Outcome(
            rows_written=result.rows_written(), bytes_written=result.bytes_written(), elapsed=result.elapsed()
        )
