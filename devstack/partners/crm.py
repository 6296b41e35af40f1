"""The service that passes events on to the CRM: POST /webengage/event/ takes one, GET /events shows what came.

An event that comes again with the `Idempotency-Key` of one of the newest KEYS_KEPT is answered, and not taken twice.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from devstack.received import Received

KEYS_KEPT = 50_000


class Event(BaseModel):
    """What the CRM needs of an event; `eventTime` is epoch milliseconds as text."""

    model_config = {"extra": "forbid"}

    appType: str = Field(min_length=1)
    userId: str = Field(min_length=1)
    eventName: str = Field(min_length=1)
    eventTime: str = Field(pattern=r"^\d{13}$")
    eventData: dict[str, Any]


def create_application(events: Path) -> FastAPI:
    """Application that appends each event as one JSON line to `events`."""
    application = FastAPI(title="Local CRM gateway", docs_url=None, redoc_url=None, openapi_url=None)
    kept = Received(events)
    seen: OrderedDict[str, None] = OrderedDict()

    @application.post("/webengage/event/")
    async def receive(event: Event, idempotency_key: str = Header("")) -> JSONResponse:
        if not idempotency_key or idempotency_key not in seen:
            kept.keep(key=idempotency_key, event=event.model_dump())
            seen[idempotency_key] = None
            if len(seen) > KEYS_KEPT:
                seen.popitem(last=False)
        return JSONResponse({"response": {"status": "queued"}}, 201)

    @application.get("/events")
    def received(limit: int = Query(1000, ge=1, le=100_000)) -> list[dict[str, Any]]:
        """The newest `limit` events, oldest first, each with `received_at` (UTC) and `key`."""
        return kept.newest(limit)

    return application
