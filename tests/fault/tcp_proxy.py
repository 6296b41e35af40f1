"""A TCP proxy that tests put between a program and a server to cut, stall, lose or damage what flows."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class TcpProxy:
    """Forwards 127.0.0.1:`port` to a server.

    - `hold_replies()`: what the server says is kept back; what the client says arrives: it works, and nobody learns it.
    - `hold_requests()`: what the client says is kept back.
    - `hold_when(mark, direction)`: one of the two, as soon as the client says something that contains the mark.
    - `release()`: let everything through again, first what was kept.
    - `drop_held()`: throw away what was kept and cut its connections: the reply is lost.
    - `corrupt(direction, where)`: one bit of what flows is flipped, once.
    - `cut()`: close all connections; `refuse(True)`: and close each new one at once.
    """

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._condition = threading.Condition()
        self._holding: set[str] = set()
        self._dropping = False
        self._refusing = False
        self._sockets: list[socket.socket] = []
        self._mark: tuple[bytes, str] | None = None
        self._damage: dict[str, Callable[[bytes], int | None]] = {}
        self.corrupted = 0
        self.bytes_held = {"request": 0, "reply": 0}

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.release()
        self.cut()

    def hold_replies(self) -> None:
        self._hold("reply")

    def hold_requests(self) -> None:
        self._hold("request")

    def hold_when(self, mark: bytes, direction: str) -> None:
        """`direction`: "request", from the marked data on, or "reply"."""
        self._mark = mark, direction

    @property
    def holding(self) -> bool:
        """Whether something is kept back now."""
        return bool(self._holding)

    def _hold(self, direction: str) -> None:
        with self._condition:
            self._holding.add(direction)
            self.bytes_held = {"request": 0, "reply": 0}

    def release(self) -> None:
        with self._condition:
            self._holding.clear()
            self._condition.notify_all()

    def drop_held(self) -> None:
        with self._condition:
            self._dropping = True
            self._holding.clear()
            self._condition.notify_all()
        self.cut()
        with self._condition:
            self._dropping = False

    def corrupt(self, direction: str, where: Callable[[bytes], int | None]) -> None:
        """Flip the lowest bit of one byte of the next "request" or "reply" in which `where` finds a position."""
        with self._condition:
            self._damage[direction] = where

    def _damaged(self, data: bytes, direction: str) -> bytes:
        with self._condition:
            where = self._damage.get(direction)
            position = where(data) if where else None
            if position is None:
                return data
            del self._damage[direction]
            self.corrupted += 1
        return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]

    def refuse(self, refusing: bool) -> None:
        self._refusing = refusing
        if refusing:
            self.cut()

    def cut(self) -> None:
        for open_socket in self._sockets:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._sockets += [client, server]
            threading.Thread(target=self._forward, args=(client, server, "request"), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, "reply"), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if direction == "request" and self._mark and self._mark[0] in data:
                    self._hold(self._mark[1])
                    self._mark = None
                with self._condition:
                    if direction in self._holding:
                        self.bytes_held[direction] += len(data)
                        self._condition.wait_for(lambda: direction not in self._holding)
                    if self._dropping:
                        break
                target.sendall(self._damaged(data, direction))
        # A client that dies does not cancel what it already sent: only its own direction ends.
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
