"""The server as a whole: engine, both protocols, and an orderly end."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
from pathlib import Path

from devstack.clickhouse.engine import Engine
from devstack.clickhouse.http import HttpInterface
from devstack.clickhouse.http_server import HttpServer
from devstack.clickhouse.login import Login
from devstack.clickhouse.native_server import NativeServer

log = logging.getLogger("devstack.clickhouse")


def serve(
    data_directory: Path,
    configuration: Path,
    login: Login,
    http_listener: socket.socket,
    native_listener: socket.socket,
    pid_file: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then cancel what runs, end connections and unload the engine.

    Raises EngineStartError. `pid_file` exists while the server answers.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every part of a table is several open files
    engine = Engine(data_directory, configuration)
    interface = HttpInterface(engine, login)
    http_server = HttpServer(interface)
    native_server = NativeServer(engine, login, native_listener)

    def stop(number: int, _frame: object) -> None:
        log.info("stopping on %s", signal.Signals(number).name)
        http_server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    native_server.start()
    log.info(
        "ClickHouse %s serves %s: HTTP on %s:%d, native on %s:%d",
        engine.version,
        data_directory,
        *http_listener.getsockname(),
        *native_listener.getsockname(),
    )
    if pid_file:
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        pid_file.write_text(f"{os.getpid()}\n")
    try:
        http_server.run(sockets=[http_listener])
    finally:
        native_server.stop_accepting()
        engine.kill_statements()
        native_server.close()
        http_server.wait_for_statements()
        interface.sessions.close()
        engine.close()
        if pid_file:
            pid_file.unlink(missing_ok=True)
    log.info("stopped")
