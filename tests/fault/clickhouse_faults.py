"""An HTTP proxy before ClickHouse that answers INSERTs with errors of the test's choice and notes their tokens."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Fault:
    """An answer that is not ClickHouse's own. `code` None: it comes from a gateway that knows no ClickHouse codes."""

    code: int | None
    status: int
    stored: bool  # ClickHouse has executed the INSERT all the same

    def headers(self) -> dict[str, str]:
        return {} if self.code is None else {"X-ClickHouse-Exception-Code": str(self.code)}

    def body(self) -> bytes:
        if self.code is None:
            return b"<html><h1>Bad Gateway</h1></html>"
        return f"Code: {self.code}. DB::Exception: injected by a test (INJECTED) (version 26.9.2.1)\n".encode()


class ClickHouseFaults:
    """Forwards 127.0.0.1:`port` to ClickHouse. `tokens`: the deduplication token of each INSERT, as they arrived."""

    def __init__(self, server_port: int) -> None:
        self.tokens: list[str] = []
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._standing: tuple[Callable[[str], bool], Fault] | None = None
        faults = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._relay(faults._forward(server_port, self.command, self.path, self.headers, b""))

            def do_POST(self) -> None:
                body = self._body()
                token = parse_qs(urlsplit(self.path).query).get("insert_deduplication_token", [""])[0]
                fault = faults._next(token) if token else None
                if fault is None or fault.stored:
                    answer = faults._forward(server_port, self.command, self.path, self.headers, body)
                if fault is not None:
                    answer = (fault.status, fault.headers(), fault.body())
                self._relay(answer)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                pieces = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)

            def _relay(self, answer: tuple[int, dict[str, str], bytes]) -> None:
                status, headers, body = answer
                self.send_response_only(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Requests are not worth a line."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, code: int | None, times: int, status: int = 500, stored: bool = False) -> None:
        """Answer the next INSERTs with an error, so many times; `stored`: after ClickHouse has executed them."""
        with self._lock:
            self._faults += [Fault(code, status, stored)] * times

    def answer_whenever(self, code: int, within: str) -> None:
        """Answer each INSERT with an error whose block holds the rows of that range, as `0-1` is the first row."""
        first, end = map(int, within.split("-"))

        def concerns(token: str) -> bool:
            low, high = map(int, token.rsplit(":", 1)[1].split("-"))
            return low <= first and end <= high

        self._standing = concerns, Fault(code, 500, stored=False)

    def mend(self) -> None:
        """Answer with no more errors."""
        with self._lock:
            self._faults.clear()
            self._standing = None

    @property
    def pending(self) -> int:
        """How many of the errors were not answered yet."""
        return len(self._faults)

    def _next(self, token: str) -> Fault | None:
        with self._lock:
            self.tokens.append(token)
            if self._faults:
                return self._faults.pop(0)
            return self._standing[1] if self._standing and self._standing[0](token) else None

    @staticmethod
    def _forward(port: int, method: str, path: str, headers, body: bytes) -> tuple[int, dict[str, str], bytes]:
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body, kept)
            reply = connection.getresponse()
            answered = {name: value for name, value in reply.getheaders() if name.lower() not in _HOP_BY_HOP}
            return reply.status, answered, reply.read()
        finally:
            connection.close()
