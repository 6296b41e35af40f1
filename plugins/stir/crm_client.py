"""HTTP client of the service that passes events on to the CRM: time limits, retries, a rate, no ids in its errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from stir.beat_client import (
    CONNECT_TIMEOUT_SECONDS,
    TRIES,
    RateLimit,
    RefusedError,
    RetryableReplyError,
    retry_after,
)

EXCERPT = 200


@dataclass(frozen=True)
class CrmEvent:
    """One event. `key` is the same when it is sent again, so that the service can tell; `hidden` are the ids in it."""

    body: bytes
    key: str
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What became of an event: `sent`, `refused` (repeating it is useless) or `failed` (after all tries), and why."""

    outcome: str
    reason: str = ""


class CrmClient:
    """One session with the service. Use it as a context manager.

    `base_url` is the whole address without a trailing slash, `path` where events go. `timeout` is seconds per call,
    `parallel` calls are in flight at most, `per_second` calls are started at most, retries included.
    """

    def __init__(
        self,
        base_url: str,
        path: str,
        *,
        timeout: float = 20.0,
        parallel: int = 8,
        per_second: float = 20.0,
        tries: int = TRIES,
        first_wait: float = 0.5,
    ) -> None:
        if "://" not in base_url:
            raise ValueError(
                f"connection 'crm_events' needs a whole address as its host (https://host), not {base_url!r}"
            )
        parallel = max(1, int(parallel))
        self._path, self._tries = path, tries
        self._rate = RateLimit(per_second)
        self._back_off = wait_random_exponential(multiplier=first_wait, max=30)
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="crm")
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel),
            headers={"Content-Type": "application/json", "User-Agent": "stir"},
        )

    def __enter__(self) -> CrmClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._http.close()

    def send_all(self, events: Iterable[CrmEvent]) -> Iterator[Reply]:
        """Send events, several at a time; their replies in the same order. One's failure stops none of the others."""
        return self._threads.map(self.send, events)

    def send(self, event: CrmEvent) -> Reply:
        """Send one event, again while the service throttles, fails or does not answer."""
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(RetryableReplyError),
                stop=stop_after_attempt(self._tries),
                wait=self._wait,
                reraise=True,
            ):
                with attempt:
                    self._post(event)
        except RefusedError as error:
            return Reply("refused", without(event.hidden, str(error)))
        except RetryableReplyError as error:
            return Reply("failed", without(event.hidden, str(error)))
        return Reply("sent")

    def _post(self, event: CrmEvent) -> None:
        self._rate.wait()
        try:
            reply = self._http.post(self._path, content=event.body, headers={"Idempotency-Key": event.key})
        except httpx.TransportError as error:
            raise RetryableReplyError(f"no reply: {type(error).__name__}: {error}") from error
        if reply.is_success:
            return
        text = f"HTTP {reply.status_code}: {' '.join(reply.text.split())[:EXCERPT] or 'empty body'}"
        if reply.status_code == 429 or reply.status_code >= 500:
            raise RetryableReplyError(text, retry_after(reply))
        raise RefusedError(text)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RetryableReplyError) else None
        if asked is None:
            return self._back_off(state)
        self._rate.pause(asked)
        return asked


def without(hidden: Iterable[str], text: str) -> str:
    """The text with each of the hidden ones replaced."""
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
