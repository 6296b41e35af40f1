"""What a stand-in received, one JSON line each: it outlives the server, and a test or a developer can read it back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson


class Received:
    """Entries of one file, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        path.touch(mode=0o600)

    def keep(self, **entry: Any) -> None:
        """Append an entry, with `received_at` (UTC) before it."""
        line = orjson.dumps({"received_at": datetime.now(UTC), **entry}, option=orjson.OPT_APPEND_NEWLINE)
        with self._writing, self._path.open("ab") as file:
            file.write(line)

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The newest `limit` entries, oldest first."""
        return [orjson.loads(line) for line in self._path.read_bytes().splitlines()[-limit:]]
