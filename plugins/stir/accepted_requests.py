"""What Beat has accepted, recorded in ClickHouse table `stir.accepted_requests` (created here if missing).

Cool-downs and the backlog guard read it beside Beat's own events, so they also hold while no event arrives: with the
sinker or the broker away each run would otherwise ask for the same entities again. Without the table they know what
the events tell. The record is written while replies come in; a task that is killed may miss the last few seconds of it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from stir.beat_client import ScrapeRequest

ACCEPTED_REQUESTS = "stir.accepted_requests"
RECORD_EVERY_SECONDS = 5.0

DDL = (
    "create database if not exists stir",
    f"""
    create table if not exists {ACCEPTED_REQUESTS}
    (
        platform LowCardinality(String),
        flow LowCardinality(String),
        scl_id UInt64 comment 'number of the request at Beat, 0 when its reply named none',
        params String comment 'params as they were sent, JSON' codec(ZSTD(3)),
        run_id String,
        accepted_at DateTime64(3, 'UTC') comment 'when the reply came'
    )
    engine = MergeTree
    partition by toYYYYMM(accepted_at)
    order by (platform, flow, accepted_at)
    ttl toDateTime(accepted_at) + interval 270 day
    comment 'Scrape requests that Beat has accepted, for cool-downs and backlogs while their events are on the way'
    """,
)
"""The rows outlive the longest cool-down, 180 days."""


class AcceptedRequests:
    """Collects accepted requests of one run and writes them in bulk.

    `write_when_due` belongs into the loop that sends, `write` behind it, also when it ends by an error.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._rows: list[tuple[Any, ...]] = []
        self._written = time.monotonic()

    def add(self, request: ScrapeRequest, scrape_id: int | None) -> None:
        """Take one accepted request down."""
        params = orjson.dumps(dict(request.params)).decode()
        row = (request.platform, request.flow, scrape_id or 0, params, self._run_id, datetime.now(UTC))
        self._rows.append(row)

    def write_when_due(self) -> None:
        """Write if the last time is some seconds ago. Raises WarehouseError."""
        if time.monotonic() - self._written >= RECORD_EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        """Write what has not been written yet. Raises WarehouseError; the rows are kept for another try."""
        from stir import warehouse

        head = f"insert into {ACCEPTED_REQUESTS} (platform, flow, scl_id, params, run_id, accepted_at) values"
        warehouse.insert(head, self._rows, what=f"record in {ACCEPTED_REQUESTS}")
        self._rows = []
        self._written = time.monotonic()


def create_table() -> None:
    """Create the table if it is missing. Raises WarehouseError."""
    from stir import warehouse

    for statement in DDL:
        warehouse.command(statement, what=f"create {ACCEPTED_REQUESTS}")
