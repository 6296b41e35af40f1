"""The scrape_request_log event of a request that changed its status, and the trace of the call that it made."""

from __future__ import annotations

import uuid
from datetime import datetime

import orjson

from devstack.beat.events import Message, iso_time, scrape_request_log
from devstack.beat.ledger import COMPLETE, Row
from devstack.beat.log_entries import Trace


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


def call(row: Row, status: str, moment: datetime) -> Message:
    """trace_log message of a finished request's call to its provider."""
    return Trace(
        id=str(uuid.uuid4()),
        hostname="beat-simulator",
        timestamp=iso_time(moment),
        timeTaken=0,
        method="GET",
        uri=f"https://provider.example/v1/{row['flow']}?request={row['id']}",
        headers={"accept": "application/json"},
        responseStatus=200 if status == COMPLETE else 404,
        remoteAddress="https://provider.example",
    ).message()
