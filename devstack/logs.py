"""Log files of the stack: one a service, limited in size."""

from __future__ import annotations

from pathlib import Path

LIMIT_BYTES = 10_000_000
GENERATIONS = 2


def rotate(log: Path, limit: int = LIMIT_BYTES) -> None:
    """Move a log that has grown beyond the limit aside, before its service starts. Older generations are dropped."""
    if not log.exists() or log.stat().st_size <= limit:
        return
    for number in range(GENERATIONS, 0, -1):
        source = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if source.exists():
            source.replace(log.with_name(f"{log.name}.{number}"))


def last_lines(log: Path, count: int, limit: int = 64_000) -> list[str]:
    """The last lines of a log, read from its end. Empty if there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit * max(1, count // 200)))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
