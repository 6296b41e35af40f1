"""The durable record of the simulator: requests and the outbox, in one SQLite file.

A change of state and the event that tells of it are one transaction, so that neither exists without the other. The
outbox is emptied after the broker has confirmed; until then a request is never held up by the broker.
"""
# ruff: noqa: S608 -- the statements are put together from constants; values are always bound

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from devstack.beat.events import REQUEST_LIFETIME, Message

FIRST_ID = 10_000_000  # above the ids of the synthetic world's own history
PENDING, PROCESSING, COMPLETE, FAILED = "PENDING", "PROCESSING", "COMPLETE", "FAILED"
COLUMNS = (
    "id, idempotency_key, platform, account_id, flow, status, priority, params, data, created_at, scraped_at, "
    "expires_at, retry_count"
)

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT UNIQUE,
    platform TEXT NOT NULL,
    account_id TEXT,
    flow TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 1,
    params TEXT NOT NULL,
    data TEXT,
    created_at TEXT NOT NULL,
    scraped_at TEXT,
    expires_at TEXT NOT NULL,
    retry_count INTEGER NOT NULL DEFAULT 1,
    mirrored INTEGER NOT NULL DEFAULT 0,
    stuck INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS request_status ON request (status, id);
CREATE INDEX IF NOT EXISTS request_to_mirror ON request (id) WHERE mirrored <> 2;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    routing_key TEXT NOT NULL,
    body BLOB NOT NULL
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'request', {FIRST_ID - 1}
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'request');
"""
# request.mirrored: 0 not in ClickHouse yet, 1 there but outdated, 2 up to date. request.stuck: 1 = its worker died.

Row = dict[str, object]


class KeyReusedError(Exception):
    """An idempotency key came again with another request."""


class Ledger:
    """Requests and outbox of one simulator. Safe for several threads; one writer at a time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "requests.sqlite"
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)
        self.changed = threading.Event()  # something waits in the outbox

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block or none."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        self.changed.set()

    def add(
        self, flow: str, platform: str, params: Mapping[str, object], key: str | None, account_id: str | None
    ) -> tuple[Row, bool]:
        """A new PENDING request, or the earlier one with the same key; True when it is new. Within a transaction.

        KeyReusedError: the key belongs to a request with another flow, platform or parameters.
        """
        text = orjson.dumps(params, option=orjson.OPT_SORT_KEYS).decode()
        if key is not None:
            earlier = self._one(f"SELECT {COLUMNS} FROM request WHERE idempotency_key = ?", key)
            if earlier is not None:
                if (earlier["flow"], earlier["platform"], earlier["params"]) != (flow, platform, text):
                    raise KeyReusedError(key)
                return earlier, False
        now = datetime.now(UTC)
        cursor = self._connection.execute(
            "INSERT INTO request (idempotency_key, platform, account_id, flow, status, params, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, platform, account_id, flow, PENDING, text, now.isoformat(), (now + REQUEST_LIFETIME).isoformat()),
        )
        return self.request(cursor.lastrowid), True

    def request(self, scrape_id: int) -> Row | None:
        """One request, None when there is no such id."""
        return self._one(f"SELECT {COLUMNS} FROM request WHERE id = ?", scrape_id)

    def requests(
        self, flow: str | None, status: str | None, platform: str | None, after: int, limit: int
    ) -> tuple[int, list[Row]]:
        """Number of matching requests, and those above id `after`, oldest first."""
        condition = "(?1 IS NULL OR flow = ?1) AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR platform = ?3)"
        wanted = (flow, status, platform)
        total = self._one(f"SELECT count(*) AS n FROM request WHERE {condition}", *wanted)["n"]
        rows = self._all(
            f"SELECT {COLUMNS} FROM request WHERE {condition} AND id > ?4 ORDER BY id LIMIT ?5", *wanted, after, limit
        )
        return total, rows

    def interrupted(self) -> list[Row]:
        """Requests that were running when the simulator ended, without those that are to stay stuck."""
        return self._all(f"SELECT {COLUMNS} FROM request WHERE status = ? AND stuck = 0 ORDER BY id", PROCESSING)

    def waiting(self, flows: Sequence[str], per_flow: int) -> list[Row]:
        """Oldest PENDING requests, at most so many of each flow; other flows have no process and wait for ever."""
        marks = ", ".join("?" * len(flows))
        return self._all(
            f"SELECT {COLUMNS} FROM (SELECT *, row_number() OVER (PARTITION BY flow ORDER BY id) AS place FROM request"
            f" WHERE status = ? AND flow IN ({marks})) WHERE place <= ? ORDER BY id",
            PENDING,
            *flows,
            per_flow,
        )

    def change(self, scrape_id: int, status: str, **columns: object) -> bool:
        """Set status and other columns of a request; False for an unknown id. Within a transaction."""
        assignments = "".join(f", {name} = ?" for name in columns)
        cursor = self._connection.execute(
            f"UPDATE request SET status = ?{assignments}, mirrored = min(mirrored, 1) WHERE id = ?",
            (status, *columns.values(), scrape_id),
        )
        return cursor.rowcount == 1

    def emit(self, messages: Sequence[Message]) -> None:
        """Put messages into the outbox. Within a transaction."""
        self._connection.executemany(
            "INSERT INTO outbox (routing_key, body) VALUES (?, ?)",
            [(message.routing_key, message.body) for message in messages],
        )

    def outbox(self, limit: int) -> list[tuple[int, Message]]:
        """Oldest unpublished messages with their positions."""
        rows = self._all("SELECT id, routing_key, body FROM outbox ORDER BY id LIMIT ?", limit)
        return [(row["id"], Message(row["routing_key"], bytes(row["body"]))) for row in rows]

    def published(self, last: int) -> None:
        """Forget messages up to a position: the broker has confirmed them."""
        with self._lock:
            self._connection.execute("DELETE FROM outbox WHERE id <= ?", (last,))

    def to_mirror(self, limit: int) -> list[Row]:
        """Requests that ClickHouse has not or has in an older state, with `mirrored` (0 or 1)."""
        return self._all(f"SELECT {COLUMNS}, mirrored FROM request WHERE mirrored <> 2 ORDER BY id LIMIT ?", limit)

    def mirrored(self, rows: Sequence[Row]) -> None:
        """Note that ClickHouse has these rows; one that changed meanwhile stays outdated."""
        with self._lock:
            self._connection.executemany(
                "UPDATE request SET mirrored = CASE WHEN status = ? AND retry_count = ? THEN 2 ELSE 1 END WHERE id = ?",
                [(row["status"], row["retry_count"], row["id"]) for row in rows],
            )

    def counts(self) -> dict[str, dict[str, int]]:
        """Requests by flow and status."""
        result: dict[str, dict[str, int]] = {}
        for row in self._all("SELECT flow, status, count(*) AS n FROM request GROUP BY flow, status"):
            result.setdefault(row["flow"], {})[row["status"]] = row["n"]
        return result

    def outbox_depth(self) -> int:
        return self._one("SELECT count(*) AS n FROM outbox")["n"]

    def _all(self, statement: str, *values: object) -> list[Row]:
        with self._lock:
            return [dict(row) for row in self._connection.execute(statement, values)]

    def _one(self, statement: str, *values: object) -> Row | None:
        rows = self._all(statement, *values)
        return rows[0] if rows else None


def moment(text: object) -> datetime:
    """A stored time."""
    return datetime.fromisoformat(str(text))
