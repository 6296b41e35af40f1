"""Which processes belong to a stack, seen from outside."""

from __future__ import annotations

from pathlib import Path

import psutil

from devstack.processes import MARK


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process of the stack in this home, PostgreSQL's by their working directory."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = process.cwd().startswith(str(home.resolve()))
            if inside or process.environ().get(MARK, "").startswith(f"{home}:"):
                found.append(process)
        except psutil.Error:
            continue
    return found
