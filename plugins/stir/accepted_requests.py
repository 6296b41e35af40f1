"""What Beat has accepted, recorded by us at once, so that a cool-down holds while no event arrives.

Cool-downs and backlogs are read from the events of requests, and those come by way of the broker and the sinker. With
one of them away, every run would ask for the same entities again. A row of `stir.accepted_requests` stands for the
first event of its request (PENDING) and carries its id, so that both together count as one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from stir.beat_client import ScrapeRequest

log = logging.getLogger(__name__)

TABLE = "stir.accepted_requests"
KEPT_DAYS = 200
"""Longer than any cool-down."""
RECORD_EVERY = 500
DDL = (
    "create database if not exists stir",
    f"""
    create table if not exists {TABLE}
    (
        scl_id UInt64 comment 'id of the request at Beat; 0 where its answer has none',
        platform LowCardinality(String),
        flow LowCardinality(String),
        params String comment 'JSON, as sent',
        accepted_at DateTime('UTC')
    )
    engine = MergeTree
    partition by toYYYYMM(accepted_at)
    order by (platform, flow, accepted_at)
    ttl accepted_at + interval {KEPT_DAYS} day
    comment 'Scrape requests that Beat has accepted, for cool-downs while their events are on the way'
    """,
)


def create_table() -> None:
    """Create the table if it is missing. Raises WarehouseError."""
    from stir import warehouse

    for statement in DDL:
        warehouse.command(statement, what=f"create {TABLE}")


class AcceptedRequests:
    """Collects what was accepted and records it in large inserts; used in one thread, as a context manager.

    Whatever ends the block, what was collected is recorded before it is left.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, str, str, str, datetime]] = []

    def __enter__(self) -> AcceptedRequests:
        return self

    def __exit__(self, *_: object) -> None:
        self._record()

    def add(self, request: ScrapeRequest, scrape_id: int | None) -> None:
        """One accepted request. Raises WarehouseError when a full batch could not be recorded."""
        params: Mapping[str, object] = dict(request.params)
        self._waiting.append(
            (scrape_id or 0, request.platform, request.flow, orjson.dumps(params).decode(), datetime.now(UTC))
        )
        if len(self._waiting) >= RECORD_EVERY:
            self._record()

    def _record(self) -> None:
        from stir import warehouse

        head = f"insert into {TABLE} (scl_id, platform, flow, params, accepted_at) values"
        warehouse.insert(head, self._waiting, what=f"record {len(self._waiting)} accepted requests in {TABLE}")
        self._waiting = []
