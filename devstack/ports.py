"""Is a port free, and if not, who has it?"""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

import psutil

from devstack.errors import StackError
from devstack.settings import HOST, PORT_OFFSETS


def is_free(port: int) -> bool:
    """True if a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: connections that end do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


PORT_BASES = range(10_000, 28_000, 1_000)
"""Wider apart than the largest offset, so that two stacks never overlap; below the range of outgoing connections."""

_reserved: dict[int, IO[str]] = {}


def free_port_base(reserve: bool = False) -> int:
    """A STIR_STACK_PORT_BASE at which every port of the stack is free.

    `reserve` keeps it for this process until it ends or calls `release`, against others that ask here: for a stack
    whose services start one by one, later.
    """
    for base in random.sample(PORT_BASES, len(PORT_BASES)):
        if base in _reserved or not all(is_free(base + offset) for offset in PORT_OFFSETS.values()):
            continue
        lock = (Path(tempfile.gettempdir()) / f"stir-ports-{base}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        if reserve:
            _reserved[base] = lock  # the lock lives as long as the open file
        else:
            lock.close()
        return base
    raise StackError(f"There is no range of free ports between {PORT_BASES[0]} and {PORT_BASES[-1] + 1_000}.")


def release(base: int) -> None:
    """Give back what `free_port_base` reserved."""
    _reserved.pop(base).close()


def answers(port: int, seconds: float = 1.0) -> bool:
    """True if something accepts connections on this port of 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=seconds):
            return True
    except OSError:
        return False


def holder(port: int) -> str:
    """Who listens on the port, as far as this user may know, e.g. `pid 4711, nginx`."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f"pid {connection.pid}, {psutil.Process(connection.pid).name()}"
    except (psutil.Error, OSError):
        pass
    return "of another user"


def require_free(service: str, port_name: str, port: int) -> None:
    """Raise StackError, naming the variable to change, if the port is taken."""
    if is_free(port):
        return
    raise StackError(
        f"Port {port} of {service} is taken by another program ({holder(port)}): stop that program, or move the "
        f"whole stack with STIR_STACK_PORT_BASE=<number>, or this port alone with "
        f"STIR_STACK_PORTS='{{\"{port_name}\": <number>}}'."
    )
