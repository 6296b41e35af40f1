"""Beat's HTTP API: the three endpoints that the platform calls, with their quirks, and views for people and tests.

Quirks on purpose: application errors are HTTP 200 with an ERROR envelope; the body is read as JSON whatever its content
type; the flow in the path is ignored, the one in the body counts; the update endpoint answers null and accepts any id.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from devstack.beat.ledger import PENDING, KeyReusedError
from devstack.beat.profile_endpoint import ProfileError
from devstack.beat.settings import Faults
from devstack.beat.simulator import Simulator
from devstack.beat.transitions import transition

PLATFORMS = ("instagram", "youtube", "shopify")


class NewRequest(BaseModel):
    """Body of endpoint A. What callers send beside these three is accepted and overwritten, as in Beat."""

    model_config = ConfigDict(extra="ignore", strict=True)

    flow: str
    platform: str
    params: dict[str, Any]
    reason: str | None = None
    status: str | None = None
    retry_count: int | None = None
    priority: int | None = None


class ChangedRequest(BaseModel):
    """Body of endpoint B; every field is read without a default."""

    flow: str
    platform: str
    params: dict[str, Any]
    retry_count: int
    status: str


def create_app(simulator: Simulator) -> FastAPI:
    """The API over a simulator; its threads run while the application does."""

    @asynccontextmanager
    async def running(_: FastAPI):
        simulator.start()
        yield
        await run_in_threadpool(simulator.stop)

    app = FastAPI(title="Beat (simulated)", lifespan=running)
    app.include_router(_scraper(simulator))
    app.include_router(_views(simulator))
    return app


def _scraper(simulator: Simulator) -> APIRouter:
    router = APIRouter()

    @router.post("/scrape_request_log/flow/update/{scrape_id}")
    async def update(scrape_id: int, request: Request) -> Response:
        if (fault := await _fault(simulator)) is not None:
            return fault
        try:
            changed = ChangedRequest.model_validate_json(await request.body())
        except ValidationError:
            return Response("Internal Server Error", 500, media_type="text/plain")
        await run_in_threadpool(_update, simulator, scrape_id, changed)
        return JSONResponse(None)

    @router.post("/scrape_request_log/flow/{flow}")
    async def create(flow: str, request: Request) -> Response:
        if (fault := await _fault(simulator)) is not None:
            return fault
        try:
            wanted = NewRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"detail": orjson.loads(error.json(include_url=False, include_context=False))}, 422)
        return await run_in_threadpool(_create, simulator, wanted, request.headers)

    @router.get("/scrape_request_log/flow/{scrape_id}")
    async def show(scrape_id: int) -> dict[str, Any]:
        row = await run_in_threadpool(simulator.ledger.request, scrape_id)
        if row is None:
            return _error(f"Scrape request not found - {scrape_id}", 404)
        names = ("data", "status", "created_at", "flow", "scraped_at", "platform")
        post = {"scrape_id": row["id"], "params": orjson.loads(row["params"]), **{name: row[name] for name in names}}
        return _success("Scrape request retrieved") | {"post": post}

    @router.get("/profiles/{platform}/byhandle/{handle}")
    @router.get("/social-profile-service/{platform}/byhandle/{handle}")
    async def profile(platform: str, handle: str, full_refresh: str = "", force_refresh: str = "") -> Response:
        if platform not in PLATFORMS:
            raise RequestValidationError([
                {"loc": ("path", "platform"), "msg": f"must be one of {', '.join(PLATFORMS)}", "type": "enum"}
            ])  # fmt: skip
        if (fault := await _fault(simulator)) is not None:
            return fault
        # Untyped flags: any text is true, the text "false" included.
        found = await run_in_threadpool(_profile, simulator, platform, handle, bool(full_refresh), bool(force_refresh))
        return JSONResponse(found)

    return router


def _views(simulator: Simulator) -> APIRouter:
    router = APIRouter()

    @router.get("/requests")
    def requests(
        flow: str | None = None,
        status: str | None = None,
        platform: str | None = None,
        after: int = 0,
        limit: int = Query(100, ge=1, le=10_000),
    ) -> dict[str, Any]:
        total, rows = simulator.ledger.requests(flow, status, platform, after, limit)
        return {"total": total, "requests": [row | {"params": orjson.loads(row["params"])} for row in rows]}

    @router.get("/stats")
    def stats() -> dict[str, Any]:
        return simulator.stats()

    @router.post("/admin/faults")
    async def set_faults(request: Request) -> dict[str, Any]:
        try:
            simulator.settings.faults = Faults.model_validate_json(await request.body())
        except ValidationError as error:
            detail = orjson.loads(error.json(include_url=False, include_context=False))
            raise HTTPException(422, detail) from error
        return simulator.settings.faults.model_dump()

    @router.get("/admin/faults")
    def faults() -> dict[str, Any]:
        return simulator.settings.faults.model_dump()

    @router.get("/healthz")
    @router.get("/heartbeat")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return router


def _create(simulator: Simulator, wanted: NewRequest, headers: Any) -> Response:
    ledger = simulator.ledger
    key = headers.get("idempotency-key") or None
    try:
        with ledger.transaction():
            row, new = ledger.add(wanted.flow, wanted.platform, wanted.params, key, headers.get("x-bb-account-id"))
            if new:
                now = datetime.now(UTC)
                ledger.emit([transition(row, PENDING, now, picked_at=now)])
    except KeyReusedError:
        return JSONResponse({"detail": "this Idempotency-Key came before with another request"}, 422)
    except Exception as error:
        return JSONResponse(_error(f"Something went wrong - {error}", 400))
    return JSONResponse(_success("Scrape request log added") | {"code": 200, "scrape_id": row["id"]})


def _update(simulator: Simulator, scrape_id: int, changed: ChangedRequest) -> None:
    now = datetime.now(UTC)
    described = {
        "id": scrape_id,
        "flow": changed.flow,
        "platform": changed.platform,
        "params": orjson.dumps(changed.params).decode(),
        "retry_count": changed.retry_count,
    }
    picked = None if changed.status == PENDING else now
    with simulator.ledger.transaction():
        simulator.ledger.change(scrape_id, changed.status, retry_count=changed.retry_count)
        simulator.ledger.emit([transition(described, changed.status, now, picked_at=picked, iso_times=True)])


def _profile(simulator: Simulator, platform: str, handle: str, full: bool, force: bool) -> dict[str, Any]:
    try:
        if platform == "instagram":
            found = simulator.profiles.instagram(handle, full=full, force=force)
        elif platform == "youtube":
            found = simulator.profiles.youtube(handle, force=force)
        else:
            raise ProfileError(f"Platform not supported - {platform.upper()}", 400)
    except ProfileError as error:
        return _error(error.message, error.code)
    return _success("Profile Retrieved") | {"profile": found}


async def _fault(simulator: Simulator) -> Response | None:
    """The misbehaviour that is due for this call, if any."""
    faults = simulator.settings.faults
    if faults.remaining == 0:
        return None
    if faults.remaining is not None:
        faults.remaining -= 1
    if faults.delay_seconds:
        await asyncio.sleep(faults.delay_seconds)
    chance = random.random()  # noqa: S311 -- chance, no secret
    if chance < faults.too_many_requests:
        return JSONResponse({"detail": "Too Many Requests"}, 429, {"Retry-After": str(faults.retry_after_seconds)})
    if chance < faults.too_many_requests + faults.server_errors:
        return Response("Internal Server Error", 500, media_type="text/plain")
    if chance < faults.too_many_requests + faults.server_errors + faults.error_envelopes:
        return JSONResponse(_error("Something went wrong - asked for by /admin/faults", 400))
    return None


def _success(message: str) -> dict[str, Any]:
    return {"status": {"type": "SUCCESS", "message": message}}


def _error(message: str, code: int) -> dict[str, Any]:
    return {"status": {"type": "ERROR", "message": message, "code": code}}
