"""Starts the local server as a process of its own: for tests and for the stack."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devstack.clickhouse.config import NamedCollection, ServerConfiguration
from devstack.clickhouse.login import PASSWORD_VARIABLE
from devstack.settings import CLICKHOUSE_USER, HOST, REPOSITORY


class ServerFailedError(Exception):
    """The server ended or did not answer in time; the message holds the end of its log."""


@dataclass
class ServerProcess:
    """A running server. `http_port` and `native_port` on 127.0.0.1; user `stir`."""

    process: subprocess.Popen
    directory: Path
    http_port: int
    native_port: int
    password: str = field(repr=False)
    user: str = CLICKHOUSE_USER
    host: str = HOST

    @property
    def log_file(self) -> Path:
        return self.directory / "server.log"

    @property
    def url(self) -> str:
        """Base URL without credentials."""
        return f"http://{self.host}:{self.http_port}/"

    def log(self, lines: int = 30) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Return when /ping answers. Raises ServerFailedError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerFailedError(f"the server ended with code {self.process.returncode}:\n{self.log()}")
            try:
                with urllib.request.urlopen(f"{self.url}ping", timeout=5):  # noqa: S310 - our own http URL
                    return
            except OSError:
                time.sleep(0.05)
        raise ServerFailedError(f"the server did not answer within {seconds:.0f} s:\n{self.log()}")

    def stop(self, seconds: float = 20.0) -> int:
        """End it cleanly and return its exit code; kill it when it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def launch(
    directory: Path,
    *,
    http_port: int | None = None,
    native_port: int | None = None,
    password: str | None = None,
    named_collections: Sequence[NamedCollection] = (),
    max_server_memory_bytes: int = 2_500_000_000,
) -> ServerProcess:
    """Start a server on the data in `directory`/data and return at once; free ports and a random password by default.

    The configuration file with the named collections' credentials is written to `directory`/server.xml, mode 0600.
    """
    directory.mkdir(parents=True, exist_ok=True)
    http_port, native_port = http_port or free_port(), native_port or free_port()
    password = password or secrets.token_hex(16)
    configuration = ServerConfiguration(
        max_server_memory_bytes=max_server_memory_bytes, named_collections=list(named_collections)
    ).write(directory / "server.xml")
    command = [sys.executable, "-m", "devstack.clickhouse", "serve", "--data-dir", str(directory / "data")]
    command += ["--config", str(configuration), "--http-port", str(http_port), "--native-port", str(native_port)]
    command += ["--pid-file", str(directory / "server.pid")]
    with (directory / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, PASSWORD_VARIABLE: password},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return ServerProcess(process, directory, http_port, native_port, password)


@contextmanager
def start(directory: Path, **options: object) -> Iterator[ServerProcess]:
    """A server that answers, ended cleanly at the end of the block. Options as for `launch`."""
    server = launch(directory, **options)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()
