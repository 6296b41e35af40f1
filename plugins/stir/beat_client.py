"""Client of the Beat API: creates, looks up and updates scrape requests, politely and verifiably.

Calls have time limits and share one session. Throttling (429, with its Retry-After), server errors and broken
connections are retried with back-off; every try carries the same Idempotency-Key, so a request whose reply was lost
is not made twice by a server that honours it. Replies are read: Beat reports most errors as HTTP 200 with an ERROR
envelope. Spec: scrape_flows.md sections 1-3.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import orjson
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    wait_random_exponential,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0
LONGEST_RETRY_AFTER_SECONDS = 60.0
TRIES = 5
T = TypeVar("T")


class RetryableReplyError(Exception):
    """Beat was throttling, failing or unreachable. `retry_after` is what it asked for, in seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(Exception):
    """Beat understood the request and declined it; repeating it would give the same answer. `code` is Beat's own."""

    def __init__(self, message: str, code: object = None) -> None:
        super().__init__(message)
        self.code = code


class AlreadyTakenError(Exception):
    """Beat has taken another request with this Idempotency-Key: the same entity within the same time."""


@dataclass(frozen=True)
class ScrapeRequest:
    """One request to Beat. `entity` is what is scraped (for the log), `idempotency_key` what makes it unique."""

    flow: str
    platform: str
    params: Mapping[str, Any]
    entity: str
    idempotency_key: str

    def body(self) -> bytes:
        """JSON body as Beat expects it: flow, platform, params and nothing else."""
        return orjson.dumps({"flow": self.flow, "platform": self.platform, "params": dict(self.params)})


@dataclass
class Outcome:
    """What became of the requests of one run."""

    sent: int = 0
    already_taken: int = 0
    refused: int = 0
    failed: int = 0
    not_tried: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)

    EXAMPLES = 10

    @property
    def tried(self) -> int:
        """Requests that got a final answer, good or bad."""
        return self.sent + self.already_taken + self.refused + self.failed

    @property
    def error_share(self) -> float:
        """Share of tried requests that were refused or failed; 0 when none was tried."""
        return (self.refused + self.failed) / self.tried if self.tried else 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready counts, seconds and the first few errors."""
        return {
            "sent": self.sent,
            "already_taken": self.already_taken,
            "refused": self.refused,
            "failed": self.failed,
            "not_tried": self.not_tried,
            "seconds": round(self.seconds, 2),
            "errors": self.errors[: self.EXAMPLES],
        }


class RateLimit:
    """Lets calls start at most `per_second` times a second, evenly spaced, across threads."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        if per_second <= 0:
            raise ValueError(f"requests per second must be above 0, not {per_second}")
        self._interval = 1.0 / per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Sleep until the next start is due."""
        with self._lock:
            now = self._clock()
            start = max(self._next, now)
            self._next = start + self._interval
        if start > now:
            time.sleep(start - now)

    def pause(self, seconds: float) -> None:
        """Hold back every thread: the server has asked for it."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


class BeatClient:
    """One session with Beat. Use it as a context manager.

    `base_url` is the whole address without a trailing slash. `timeout` is seconds per call, `parallel` calls are in
    flight at most, `per_second` calls are started at most, retries included.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 20.0,
        parallel: int = 8,
        per_second: float = 20.0,
        tries: int = TRIES,
        first_wait: float = 0.5,
    ) -> None:
        if "://" not in base_url:
            raise ValueError(
                f"connection 'beat' needs a whole address as its host (http://host:8000), not {base_url!r}"
            )
        self._parallel = max(1, int(parallel))
        self._rate = RateLimit(per_second)
        self._tries = tries
        self._retries_until = math.inf
        self._back_off = wait_random_exponential(multiplier=first_wait, max=30)
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=self._parallel, max_keepalive_connections=self._parallel),
            headers={"Content-Type": "application/json", "User-Agent": "stir"},
        )

    def __enter__(self) -> BeatClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self._http.close()

    def create(self, request: ScrapeRequest) -> int | None:
        """Create one scrape request; returns Beat's scrape id.

        Raises RefusedError when Beat declines it, AlreadyTakenError when it has taken another one with the same key,
        RetryableReplyError when it did not take it after all tries.
        """
        return self._repeatedly(lambda: self._post(request))

    def look_up(self, scrape_id: int) -> dict[str, Any] | None:
        """One scrape request as Beat holds it (status, flow, platform, params, ...), None when it has no such id.

        Raises RefusedError and RetryableReplyError as `create` does.
        """
        reply = self._repeatedly(lambda: self._send("GET", f"/scrape_request_log/flow/{scrape_id}"))
        if reply.status_code == 404:
            return None
        try:
            return envelope(reply)["post"]
        except RefusedError as error:
            if error.code == 404:
                return None
            raise
        except KeyError:
            raise RefusedError(f"no request in the answer: {_excerpt(reply)}") from None

    def update(self, scrape_id: int, body: Mapping[str, Any]) -> None:
        """Set status and retry count of a scrape request. Beat answers `null`, also for an id that it does not have.

        Raises RefusedError and RetryableReplyError as `create` does.
        """
        path = f"/scrape_request_log/flow/update/{scrape_id}"
        reply = self._repeatedly(lambda: self._send("POST", path, content=orjson.dumps(dict(body))))
        if reply.content.strip() != b"null":
            envelope(reply)

    def create_all(
        self,
        requests: Iterable[ScrapeRequest],
        *,
        may_stop: Callable[[Outcome], bool],
        accepted: Callable[[ScrapeRequest, int | None], None] = lambda request, scrape_id: None,
        until: float = math.inf,
        outcome: Outcome | None = None,
    ) -> Outcome:
        """Create many requests, `parallel` at a time, in order of arrival.

        After each answer `may_stop` is asked; once it says so, or the clock (`time.monotonic`) has passed `until`, no
        new request starts, none is repeated (one that waits for its turn may start late), and the rest counts as not
        tried. `accepted` gets each request that Beat
        took, with its scrape id. One request's failure never hides another's success: everything is counted in the
        Outcome, in the one that is given so that the caller has it after an error too. What is in flight when an error
        comes is waited for and counted.
        """
        outcome = Outcome() if outcome is None else outcome
        queue, began = iter(requests), time.monotonic()
        running: dict[Future[int | None], ScrapeRequest] = {}
        stopped = exhausted = False
        self._retries_until = until
        try:
            with ThreadPoolExecutor(self._parallel, thread_name_prefix="beat") as pool:
                try:
                    while True:
                        stopped = stopped or time.monotonic() >= until
                        while not stopped and not exhausted and len(running) < self._parallel:
                            request = next(queue, None)
                            if request is None:
                                exhausted = True
                            else:
                                running[pool.submit(self.create, request)] = request
                        if not running:
                            break
                        done, _ = wait(running, return_when=FIRST_COMPLETED)
                        for future in done:
                            self._count(outcome, running.pop(future), future, accepted)
                        stopped = stopped or may_stop(outcome)
                except BaseException:
                    self._retries_until = 0
                    raise
        finally:
            for future, request in running.items():
                with suppress(Exception):  # the error that ended the loop is raised already
                    self._count(outcome, request, future, accepted)
            outcome.not_tried = sum(1 for _ in queue)
            outcome.seconds = time.monotonic() - began
            self._retries_until = math.inf
        return outcome

    def _count(
        self,
        outcome: Outcome,
        request: ScrapeRequest,
        future: Future[int | None],
        accepted: Callable[[ScrapeRequest, int | None], None],
    ) -> None:
        try:
            scrape_id = future.result()
        except AlreadyTakenError as error:
            outcome.already_taken += 1
            log.info("already taken: %s: %s", request.entity, error)
        except RefusedError as error:
            outcome.refused += 1
            outcome.errors.append(f"{request.entity}: {error}")
            log.warning("refused: %s: %s", request.entity, error)
        except RetryableReplyError as error:
            outcome.failed += 1
            outcome.errors.append(f"{request.entity}: {error}")
            log.error("failed after at most %d tries: %s: %s", self._tries, request.entity, error)
        else:
            outcome.sent += 1
            accepted(request, scrape_id)
            log.debug("sent: %s as scrape request %s", request.entity, scrape_id)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RetryableReplyError) else None
        if asked is None:
            return self._back_off(state)
        self._rate.pause(asked)
        return asked

    def _repeatedly(self, call: Callable[[], T]) -> T:
        for attempt in Retrying(
            retry=retry_if_exception_type(RetryableReplyError),
            stop=stop_any(stop_after_attempt(self._tries), lambda _: time.monotonic() >= self._retries_until),
            wait=self._wait,
            reraise=True,
        ):
            with attempt:
                return call()
        raise AssertionError("unreachable: Retrying reraises")

    def _post(self, request: ScrapeRequest) -> int | None:
        path, key = f"/scrape_request_log/flow/{request.flow}", {"Idempotency-Key": request.idempotency_key}
        reply = self._send("POST", path, content=request.body(), headers=key)
        # A body that does not validate is 422 too, and says nothing of keys.
        if reply.status_code == 422 and "idempotency-key" in reply.text.lower():
            raise AlreadyTakenError(_excerpt(reply))
        return envelope(reply).get("scrape_id")

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One try of one call. Raises RetryableReplyError for 429, 5xx and no reply at all."""
        self._rate.wait()
        try:
            reply = self._http.request(method, path, **options)
        except httpx.RequestError as error:
            raise RetryableReplyError(f"no reply from Beat: {type(error).__name__}: {error}") from error
        if reply.status_code == 429 or reply.status_code >= 500:
            raise RetryableReplyError(f"HTTP {reply.status_code}: {_excerpt(reply)}", retry_after(reply))
        return reply


def envelope(reply: httpx.Response) -> dict[str, Any]:
    """Body of a reply of Beat that reports success.

    Raises RefusedError for an HTTP error, for an ERROR envelope (which Beat sends with HTTP 200) and for a body that is
    no envelope at all.
    """
    if reply.status_code >= 400:
        raise RefusedError(f"HTTP {reply.status_code}: {_excerpt(reply)}")
    try:
        body = orjson.loads(reply.content)
        status = body["status"]
        kind = status["type"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise RefusedError(f"HTTP {reply.status_code} without Beat's envelope: {_excerpt(reply)}") from None
    if kind != "SUCCESS":
        code = status.get("code", "")
        raise RefusedError(f"{kind} {code}: {status.get('message', '')}".strip(), code)
    return body


def retry_after(reply: httpx.Response) -> float | None:
    """Seconds that a reply asks to wait (number or HTTP date), bounded; None when it does not say."""
    value = reply.headers.get("Retry-After", "").strip()
    if not value:
        return None
    seconds: float | None = None
    with suppress(ValueError):
        seconds = float(value)
    if seconds is None:
        with suppress(ValueError, TypeError):
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _excerpt(reply: httpx.Response) -> str:
    return " ".join(reply.text.split())[:200] or "empty body"
