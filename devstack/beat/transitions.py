"""The scrape_request_log event of a request that changed its status."""

from __future__ import annotations

import uuid
from datetime import datetime

import orjson

from devstack.beat.events import Message, scrape_request_log
from devstack.beat.ledger import Row


def transition(
    row: Row, status: str, moment: datetime, *, picked_at: datetime | None, iso_times: bool = False
) -> Message:
    """Event for a row of the ledger. Its id is new; the outbox keeps it, so a repetition has the same one.

    `iso_times`: as the update endpoint writes them, with a T.
    """
    return scrape_request_log(
        event_id=str(uuid.uuid4()),
        scrape_id=row["id"],
        flow=row["flow"],
        platform=row["platform"],
        params=orjson.Fragment(str(row["params"]).encode()),
        status=status,
        moment=moment,
        picked_at=picked_at,
        retry_count=row["retry_count"],
        iso_times=iso_times,
    )
