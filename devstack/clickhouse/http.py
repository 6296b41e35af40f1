"""ClickHouse's HTTP interface: what a request means and how it is answered. No sockets here."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from devstack.clickhouse import content_encoding
from devstack.clickhouse.engine import Engine, Outcome, Session
from devstack.clickhouse.errors import ClickHouseError
from devstack.clickhouse.http_request import HttpRequest
from devstack.clickhouse.http_sessions import DEFAULT_TIMEOUT, HttpSessions
from devstack.clickhouse.login import Login
from devstack.clickhouse.statement import Kind, Statement, parse

log = logging.getLogger(__name__)

_APPEND_BYTES = 1 << 20
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
}


@dataclass
class HttpResponse:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class HttpInterface:
    """Answers requests. `answer` is safe to call from many threads at once."""

    def __init__(self, engine: Engine, login: Login) -> None:
        self._engine = engine
        self._login = login
        self.sessions = HttpSessions(engine)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The response to any request but /ping; never raises."""
        query_id = request.parameters.get("query_id") or request.headers.get("x-clickhouse-query-id") or ""
        headers = {
            "X-ClickHouse-Server-Display-Name": "stir-local",
            "X-ClickHouse-Query-Id": query_id or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        try:
            response = self._answer(request)
        except ClickHouseError as error:
            response = self._failure(error)
        except Exception as error:
            log.exception("unexpected failure")
            response = self._failure(ClickHouseError(1001, f"{type(error).__name__}: {error}", "STD_EXCEPTION"))
        response.headers = headers | response.headers
        return response

    def _failure(self, error: ClickHouseError) -> HttpResponse:
        headers = {
            "X-ClickHouse-Exception-Code": str(error.code),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        if error.http_status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        return HttpResponse(error.http_status, error.text(self._engine.version).encode() + b"\n", headers)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path not in {"", "/"}:
            return HttpResponse(
                404, f"There is no handle {request.path}. Use / or /ping.\n".encode(), {"Content-Type": "text/plain"}
            )
        if request.method in {"GET", "HEAD"} and not request.parameters.get("query") and not request.body:
            return HttpResponse(200, b"Ok.\n", {"Content-Type": "text/plain"})
        self._login.check(*request.credentials())
        self._refuse_native_compression(request)
        sql = request.statement()
        statement = parse(sql)
        if not statement.words:
            raise ClickHouseError(62, "Syntax error: Empty query", "SYNTAX_ERROR")
        if request.method in {"GET", "HEAD"} and statement.kind in {Kind.INSERT, Kind.COMMAND}:
            self._refuse_change_by_get(statement)
        session_id = request.parameters.get("session_id", "")
        try:
            timeout = float(request.parameters.get("session_timeout") or DEFAULT_TIMEOUT)
        except ValueError:
            raise ClickHouseError(
                36, f"Invalid session timeout: '{request.parameters['session_timeout']}'", "BAD_ARGUMENTS"
            ) from None
        must_exist = request.parameters.get("session_check") == "1"
        close = request.parameters.get("close_session") == "1"
        with self.sessions.use(session_id, timeout, must_exist, close) as session:
            session.prepare(statement, request.settings(), request.database)
            format = statement.format or request.default_format
            outcome = self._run(session, request, statement, sql, format)
        return self._success(request, statement, outcome, format or "TabSeparated")

    @staticmethod
    def _run(session: Session, request: HttpRequest, statement: Statement, sql: bytes, format: str) -> Outcome:
        if statement.kind is not Kind.INSERT:
            return session.run(statement, format or "TabSeparated", request.query_parameters())
        for name, value in request.query_parameters().items():
            session.set_parameter(name, value)
        return session.insert(statement, format or "Values", _pieces(sql, statement.data_at))

    @staticmethod
    def _refuse_native_compression(request: HttpRequest) -> None:
        for name in ("compress", "decompress"):
            if request.parameters.get(name, "0") not in {"", "0"}:
                raise ClickHouseError(
                    48,
                    f"URL parameter {name}=1 (ClickHouse's own block compression) is not supported by the local "
                    "server; use Content-Encoding or Accept-Encoding",
                    "NOT_IMPLEMENTED",
                )

    @staticmethod
    def _refuse_change_by_get(statement: Statement) -> None:
        if statement.changes_session:
            return
        raise ClickHouseError(
            164,
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use "
            "method POST for modifying queries",
            "READONLY",
        )

    @staticmethod
    def _success(request: HttpRequest, statement: Statement, outcome: Outcome, format: str) -> HttpResponse:
        summary = {
            "read_rows": outcome.rows_read,
            "read_bytes": outcome.bytes_read,
            "written_rows": outcome.rows_written,
            "written_bytes": outcome.bytes_written,
            "total_rows_to_read": outcome.rows_read,
            "result_rows": outcome.result_rows,
            "result_bytes": len(outcome.body),
            "elapsed_ns": int(outcome.elapsed * 1e9),
        }
        headers = {"X-ClickHouse-Summary": json.dumps({key: str(value) for key, value in summary.items()})}
        body = outcome.body
        if statement.kind in {Kind.SELECT, Kind.ANSWER}:
            headers["X-ClickHouse-Format"] = format
            headers["Content-Type"] = _CONTENT_TYPES.get(format, "text/plain; charset=UTF-8")
            encoding = content_encoding.choose(request.headers.get("accept-encoding", ""))
            if encoding and body and request.parameters.get("enable_http_compression") == "1":
                body = content_encoding.compress(encoding, body)
                headers["Content-Encoding"] = encoding
        return HttpResponse(200, body, headers)


def _pieces(body: bytes, start: int) -> Iterator[bytes]:
    view = memoryview(body)
    for position in range(start, len(view), _APPEND_BYTES):
        yield bytes(view[position : position + _APPEND_BYTES])
