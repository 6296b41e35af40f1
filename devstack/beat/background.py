"""What the simulator does beside answering: it publishes its outbox and mirrors the queue into ClickHouse.

Both are threads that retry for ever with a pause; a server that is away only makes them wait.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from datetime import UTC
from typing import TYPE_CHECKING

import pika

from devstack.beat import broker
from devstack.beat.ledger import Ledger, Row, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

BATCH = 2_000
log = logging.getLogger("devstack.beat")


class Background(ABC, threading.Thread):
    """A loop in a thread that ends within a second of `stop`."""

    pause = 0.2

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self.error = ""  # of the last turn, empty when it went well

    @abstractmethod
    def turn(self) -> bool:
        """Do some work; True when there is more. May raise, which means a longer pause."""

    def run(self) -> None:
        pause = self.pause
        while not self.stopping.is_set():
            try:
                more = self.turn()
                pause, self.error = self.pause, ""
            except Exception as error:
                more = False
                pause = min(max(pause * 2, 0.5), 5.0)
                if not self.error:  # once per outage, not once per try
                    log.warning("%s: %s: %s", self.name, type(error).__name__, error)
                self.error = f"{type(error).__name__}: {error}"
            if not more:
                self.stopping.wait(pause)

    def stop(self) -> None:
        self.stopping.set()


class OutboxPublisher(Background):
    """Publishes the outbox in order and deletes what the broker confirmed.

    After a failure the same messages go out again with the same event ids: at least once, never lost.
    """

    def __init__(self, ledger: Ledger, parameters: pika.ConnectionParameters) -> None:
        super().__init__("outbox")
        self.ledger, self.parameters = ledger, parameters
        self._declared = False

    def turn(self) -> bool:
        messages = self.ledger.outbox(BATCH)
        if not messages:
            self.ledger.changed.wait(self.pause)
            self.ledger.changed.clear()
            return False
        try:
            if not self._declared:
                broker.declare_queues(self.parameters)
                self._declared = True
            broker.publish((message for _, message in messages), self.parameters)
        except Exception:
            self._declared = False  # a broker that lost its data needs its queues again
            raise
        self.ledger.published(messages[-1][0])
        return True


class QueueMirror(Background):
    """Writes requests into `beat_replica.recent_scrape_request_log`: a row for each, changes as updates of the row."""

    pause = 1.0

    def __init__(self, ledger: Ledger, connect: Callable[[], Client]) -> None:
        super().__init__("queue mirror")
        self.ledger, self.connect = ledger, connect
        self._client: Client | None = None

    def turn(self) -> bool:
        rows = self.ledger.to_mirror(BATCH)
        if not rows:
            return False
        if self._client is None:
            self._client = self.connect()
        try:
            self._insert([row for row in rows if row["mirrored"] == 0])
            self._update([row for row in rows if row["mirrored"] == 1])
        except Exception:
            self._client = None
            raise
        self.ledger.mirrored(rows)
        return len(rows) == BATCH

    def _insert(self, rows: list[Row]) -> None:
        if not rows:
            return
        names = ["id", "platform", "flow", "status", "priority", "params", "account_id", "retry_count", "data"]
        times = ["created_at", "expires_at", "scraped_at"]
        # A try whose confirmation was lost may have written some of them.
        known = self._client.query(
            "SELECT assumeNotNull(id) FROM beat_replica.recent_scrape_request_log WHERE id IN {ids:Array(Int64)}",
            parameters={"ids": [row["id"] for row in rows]},
        ).result_columns
        written = set(known[0]) if known else set()
        self._client.insert(
            "recent_scrape_request_log",
            [
                [row[name] for name in names] + [moment(row[name]) if row[name] else None for name in times]
                for row in rows
                if row["id"] not in written
            ],
            column_names=names + times,
            database="beat_replica",
        )
        self._update([row for row in rows if row["id"] in written])

    def _update(self, rows: list[Row]) -> None:
        if not rows:
            return
        values = {
            "ids": [row["id"] for row in rows],
            "status": [row["status"] for row in rows],
            "data": [row["data"] or "" for row in rows],
            "scraped": [_text(row["scraped_at"]) for row in rows],
            "retries": [row["retry_count"] for row in rows],
        }
        self._client.command(
            "ALTER TABLE beat_replica.recent_scrape_request_log UPDATE"
            " status = transform(assumeNotNull(id), %(ids)s, %(status)s, assumeNotNull(status)),"
            " data = nullIf(transform(assumeNotNull(id), %(ids)s, %(data)s, ''), ''),"
            " scraped_at = toDateTime64OrNull(transform(assumeNotNull(id), %(ids)s, %(scraped)s, ''), 6),"
            " retry_count = toInt32(transform(assumeNotNull(id), %(ids)s, %(retries)s, 1))"
            " WHERE id IN %(ids)s SETTINGS mutations_sync = 1",
            parameters=values,
        )


def _text(stored: object) -> str:
    return moment(stored).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if stored else ""
