"""A real HTTP server in place of Beat that answers as a test says: throttling, failing, slow, hanging up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One scripted reply: status, body, headers; `delay` seconds before it; `cut` closes the socket instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


@dataclass
class Received:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float


ACCEPTED = {"status": {"type": "SUCCESS", "message": "Scrape request log added"}, "code": 200, "scrape_id": 7}


class MisbehavingBeat:
    """A real HTTP server that answers as `script` says (a list used up in order, or a function of the request)."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.script: list[Answer] | Callable[[Received], Answer] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
        beat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                beat.answer(self)

            def log_message(self, *_: Any) -> None:
                """Keep the test's output readable."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [request.body for request in self.requests]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        received = Received(handler.path, dict(handler.headers), json.loads(raw), time.monotonic())
        with self._lock:
            self.requests.append(received)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            if callable(self.script):
                answer = self.script(received)
            else:
                answer = self.script.pop(0) if self.script else Answer(body=ACCEPTED)
        try:
            time.sleep(answer.delay)
            if answer.cut:
                handler.close_connection = True
                handler.connection.close()
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body or ACCEPTED).encode()
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the client gave up waiting, which is what some tests are about
        finally:
            with self._lock:
                self.in_flight -= 1

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
