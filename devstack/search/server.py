"""The search engine as a server of this process, for as long as a `with` block lasts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI

from devstack.search.application import Fault, create_application
from devstack.search.index import Engine
from devstack.settings import HOST


@dataclass
class SearchEngine:
    """A running engine: its address, its content, and the faults that its next pages will have."""

    url: str = ""
    engine: Engine = field(default_factory=Engine)
    faults: list[Fault] = field(default_factory=list)


@contextmanager
def search_engine(*, login: str = "", password: str = "") -> Iterator[SearchEngine]:
    """An empty engine on a free port of 127.0.0.1."""
    search = SearchEngine()
    application = create_application(search.engine, login=login, password=password, faults=search.faults)
    with serving(application) as search.url:
        yield search


@contextmanager
def serving(application: FastAPI) -> Iterator[str]:
    """Serve an application from a thread, on a free port of 127.0.0.1; its address."""
    listener = socket.create_server((HOST, 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError(f"{application.title} ended while it started")
            time.sleep(0.01)
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
