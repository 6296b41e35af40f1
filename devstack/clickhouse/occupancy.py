"""The ports and the data folder of a server, taken before anything slow is loaded, or refused with the reason."""

from __future__ import annotations

import errno
import fcntl
import socket
from pathlib import Path
from typing import TextIO

from devstack.settings import HOST


class PortInUseError(Exception):
    """Another program listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} on {HOST} is in use by another program. Stop that program or choose another port."
        )


class DirectoryInUseError(Exception):
    """Another process has the data folder open."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"Another server has the data folder {directory} open. Stop it, or give this one a folder of its own."
        )


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Raises PortInUseError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(port) from None
        raise
    return listener


def lock_directory(directory: Path) -> TextIO:
    """Take the data folder, making it if it is missing; free again when the file is closed or the process ends.

    The engine locks its folder too, but reports a taken one as an unexplained failure. Raises DirectoryInUseError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "local_server.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise DirectoryInUseError(directory) from None
    return lock
