"""The web application: POST /services/<token> records a message, GET /messages shows what came.

Protocol (what slack_sdk's WebhookClient and Slack's own documentation expect): a JSON object with at least one of
`text`, `blocks`, `attachments`; the reply is plain text, `ok` with 200, and on errors 400 `no_text` or
`invalid_payload`, 403 `invalid_token`.
"""

from __future__ import annotations

import hmac
from pathlib import Path

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.responses import PlainTextResponse

from devstack.received import Received

LARGEST_BODY = 1_000_000


def create_application(token: str, messages: Path) -> FastAPI:
    """Application that accepts messages for `token` and appends each as one JSON line to `messages`."""
    application = FastAPI(title="Local Slack webhook", docs_url=None, redoc_url=None)
    kept = Received(messages)

    @application.get("/healthz", response_class=PlainTextResponse)
    def health() -> str:
        return "ok"

    @application.post("/services/{given_token:path}", response_class=PlainTextResponse)
    async def receive(given_token: str, request: Request) -> PlainTextResponse:
        if not hmac.compare_digest(given_token.encode(), token.encode()):
            return PlainTextResponse("invalid_token", status_code=403)
        body = await request.body()
        if len(body) > LARGEST_BODY:
            return PlainTextResponse("invalid_payload", status_code=400)
        try:
            payload = orjson.loads(body)
        except orjson.JSONDecodeError:
            return PlainTextResponse("invalid_payload", status_code=400)
        if not isinstance(payload, dict):
            return PlainTextResponse("invalid_payload", status_code=400)
        if not any(payload.get(part) for part in ("text", "blocks", "attachments")):
            return PlainTextResponse("no_text", status_code=400)
        kept.keep(payload=payload)
        return PlainTextResponse("ok")

    @application.get("/messages")
    def received(limit: int = Query(1000, ge=1, le=100_000)) -> list[dict]:
        """The newest `limit` messages, oldest first, each with `received_at` (UTC) and `payload`."""
        return kept.newest(limit)

    return application
