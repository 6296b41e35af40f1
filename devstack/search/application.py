"""The engine's HTTP interface: `_bulk` to fill an index, `_search?scroll=`, `_search/scroll`, `_count`.

Faults wait in a list and are used up one by one, each by the next page that is asked for (the first included). They
happen after the scroll has moved on, as a lost reply does.
"""

from __future__ import annotations

import base64
import hmac
from typing import Any, Literal

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from devstack.search.index import Engine, RequestError, Scroll

Fault = Literal["none", "lost", "busy", "shard", "timeout", "short", "not_json"]
"""lost: a gateway gives up; busy: 429; shard: one shard is missing; timeout: an incomplete answer; short: a document
of the page is left out; not_json: something else answers."""


def create_application(
    engine: Engine, *, login: str = "", password: str = "", faults: list[Fault] | None = None
) -> FastAPI:
    """Application over an engine. With `login`, every call needs it (HTTP basic)."""
    application = FastAPI(title="Local search engine", docs_url=None, redoc_url=None, openapi_url=None)
    waiting = faults if faults is not None else []
    expected = "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()

    @application.middleware("http")
    async def authenticated(request: Request, call_next: Any) -> Response:
        given = request.headers.get("authorization", "")
        if login and not hmac.compare_digest(given.encode(), expected.encode()):
            return error(RequestError(401, "security_exception", "missing authentication credentials"))
        return await call_next(request)

    @application.exception_handler(RequestError)
    async def refused(_: Request, refusal: RequestError) -> Response:
        return error(refusal)

    @application.get("/")
    def about() -> dict[str, Any]:
        return {"name": "devstack", "version": {"number": "7.17.0"}, "tagline": "You Know, for Search"}

    @application.post("/{index}/_bulk")
    async def bulk(index: str, request: Request) -> dict[str, Any]:
        lines = [orjson.loads(line) for line in (await request.body()).splitlines() if line.strip()]
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            engine.put(index, str(action["index"]["_id"]), document)
        return {"errors": False, "items": [{"index": action["index"] | {"status": 201}} for action in lines[::2]]}

    @application.get("/{index}/_count")
    def count(index: str) -> dict[str, Any]:
        return {"count": engine.count(index)}

    @application.post("/_search/scroll")
    async def next_page(request: Request) -> Response:
        body = orjson.loads(await request.body())
        scroll_id = body["scroll_id"]
        return answer(scroll_id, engine.open(scroll_id, body.get("scroll", "1m")))

    @application.delete("/_search/scroll")
    async def close(request: Request) -> Response:
        given = orjson.loads(await request.body())["scroll_id"]
        closed = engine.close([given] if isinstance(given, str) else given)
        return JSONResponse({"succeeded": True, "num_freed": closed}, 200 if closed else 404)

    @application.post("/{index}/_search")
    async def search(index: str, scroll: str, request: Request) -> Response:
        body = orjson.loads(await request.body())
        return answer(*await run_in_threadpool(engine.begin, index, body, scroll))

    def answer(scroll_id: str, scroll: Scroll) -> Response:
        documents = engine.page(scroll)
        fault = waiting.pop(0) if waiting else "none"
        if fault == "lost":
            return Response("upstream request timeout", 504, media_type="text/plain")
        if fault == "busy":
            return error(RequestError(429, "es_rejected_execution_exception", "rejected execution of search"))
        if fault == "not_json":
            return Response("<html>it works</html>", media_type="text/html")
        failures = [{"shard": 0, "reason": {"type": "node_disconnected_exception"}}] if fault == "shard" else []
        shards = {"total": 5, "successful": 5 - len(failures), "skipped": 0, "failed": len(failures)}
        return JSONResponse({
            "_scroll_id": scroll_id,
            "took": 1,
            "timed_out": fault == "timeout",
            "_shards": shards | ({"failures": failures} if failures else {}),
            "hits": {
                "total": {"value": scroll.total, "relation": "eq"},
                "max_score": None,
                "hits": documents[1:] if fault == "short" else documents,
            },
        })  # fmt: skip

    return application


def error(refusal: RequestError) -> Response:
    """The engine's error body."""
    cause = {"type": refusal.kind, "reason": refusal.reason}
    return JSONResponse({"error": {"root_cause": [cause], **cause}, "status": refusal.status}, refusal.status)
