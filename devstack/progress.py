"""What a user sees while services start and stop: a line each with seconds, redrawn on a terminal, else printed."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"
STYLES = {WAITING: "dim", WORKING: "cyan", DONE: "green", FAILED: "red"}


class Progress(Protocol):
    """Is told what happens to each service; called from several threads."""

    def update(self, service: str, phase: str, text: str) -> None: ...

    def say(self, sentence: str) -> None: ...


class SilentProgress:
    """Shows nothing: for tests and for machines."""

    def update(self, service: str, phase: str, text: str) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass


class ConsoleProgress:
    """Shows the phases on a console. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._rows: dict[str, tuple[str, str, float, float | None]] = {}
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._table, transient=False)

    def __enter__(self) -> ConsoleProgress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def update(self, service: str, phase: str, text: str) -> None:
        now = time.monotonic()
        with self._lock:
            begun = self._rows[service][2] if service in self._rows else now
            if phase == WORKING and service in self._rows and self._rows[service][0] == WAITING:
                begun = now
            ended = now if phase in (DONE, FAILED) else None
            self._rows[service] = (phase, text, begun, ended)
            if not self._console.is_terminal and phase != WAITING:
                line = Text(f"  [{now - self._begin:5.1f} s] {service:<22} {text}", style=STYLES[phase])
                self._console.print(line, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.monotonic()
        with self._lock:
            for service, (phase, text, begun, ended) in self._rows.items():
                seconds = "" if phase == WAITING else f"{(ended or now) - begun:.1f} s"
                mark = {WAITING: " ", WORKING: "…", DONE: "✓", FAILED: "✗"}[phase]
                table.add_row(mark, service, Text(seconds, justify="right"), text, style=STYLES[phase])
        return table
