"""Carries the HTTP interface over uvicorn: keep-alive connections wait in the event loop, statements run in threads.

A connection costs no thread while it is idle, so any number of kept-alive clients leaves /ping and new ones prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from devstack.clickhouse.http import HttpInterface, HttpResponse
from devstack.clickhouse.http_request import HttpRequest

log = logging.getLogger(__name__)

STATEMENT_THREADS = 64
SHUTDOWN_SECONDS = 10


class _Application:
    """The ASGI application."""

    def __init__(self, interface: HttpInterface) -> None:
        self._interface = interface
        self.threads = ThreadPoolExecutor(STATEMENT_THREADS, thread_name_prefix="http")

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        if body is None:
            return
        if scope["path"] in {"/ping", "/replicas_status"}:
            response = HttpResponse(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        else:
            request = HttpRequest.build(
                scope["method"],
                scope["path"],
                scope["query_string"],
                {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
                body,
            )
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(self.threads, self._interface.answer, request)
        headers = {**response.headers, "Content-Length": str(len(response.body))}
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            }
        )
        body = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})


async def _read_body(receive: Callable) -> bytes | None:
    """The whole body, or None if the client went away."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


class HttpServer(uvicorn.Server):
    """Serves until `should_exit` is set; the caller handles signals."""

    def __init__(self, interface: HttpInterface) -> None:
        self._application = _Application(interface)
        super().__init__(
            uvicorn.Config(
                self._application,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=600,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                backlog=512,
                h11_max_incomplete_event_size=1 << 20,  # a statement may stand in the URL
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def wait_for_statements(self) -> None:
        """Return when no statement runs any more."""
        self._application.threads.shutdown(wait=True)
