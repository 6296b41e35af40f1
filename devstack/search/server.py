"""The search engine as a server of this process, for as long as a `with` block lasts."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn

from devstack.search.application import Fault, create_application
from devstack.search.index import Engine
from devstack.settings import HOST


class SearchEngine:
    """`with SearchEngine() as search:` listens on a free port of 127.0.0.1; `search.url` is its address."""

    def __init__(self, *, login: str = "", password: str = "") -> None:
        self.engine = Engine()
        self.faults: list[Fault] = []
        application = create_application(self.engine, login=login, password=password, faults=self.faults)
        self._socket = socket.create_server((HOST, 0))
        self._server = uvicorn.Server(uvicorn.Config(application, log_level="warning", access_log=False))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the search engine ended while it started")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()
