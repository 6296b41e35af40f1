"""Servers of other companies that two DAGs talk to: a search engine with a channel directory, and the CRM's gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request

from devstack.search.server import SearchEngine, search_engine, serving

INDEX = "youtube_channels_api"


@dataclass
class Neighbours:
    """The search engine, and the address of the CRM's gateway with every event that it took."""

    search: SearchEngine
    crm_url: str
    crm_events: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def neighbours(channels: int) -> Iterator[Neighbours]:
    """Both servers; the directory holds so many Indian channels, and one of another country."""
    gateway = FastAPI(title="CRM gateway")
    taken: list[dict[str, Any]] = []

    @gateway.post("/webengage/event/")
    async def event(request: Request) -> dict[str, bool]:
        taken.append(await request.json())
        return {"ok": True}

    with search_engine() as search, serving(gateway) as crm_url:
        for number in range(channels + 1):
            country = "IN" if number < channels else "US"
            snippet = {"country": country, "title": f"Channel {number}", "publishedAt": "2012-05-06T07:08:09Z"}
            counts = {"videoCount": "12", "viewCount": 3400, "subscriberCount": "56", "hiddenSubscriberCount": False}
            document = {"id": f"UC{number:022d}", "snippet": snippet, "statistics": counts}
            search.engine.put(INDEX, document["id"], document)
        yield Neighbours(search, crm_url, taken)
