"""Reads every document of a search index over the scroll protocol of Elasticsearch and OpenSearch.

Plain HTTP instead of the vendor's client, which refuses servers of other versions and of other makers. A scroll moves
on when the server answers, not when the answer arrives: asking for a page again after a lost reply gives the next one.
So the first search is repeated after an error, a later page never; the scroll has failed then, and its reader begins
again. Whoever reads to the end has got as many documents as the server had announced.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 10.0
TRIES = 4
BUSY = (429, 502, 503, 504)


class SearchError(Exception):
    """The server cannot be reached or refuses: asking again at once would give the same answer."""


class ScrollLostError(SearchError):
    """Documents of this scroll were lost on the way, or may have been: it has to begin again."""


class _BusyError(SearchError):
    """A search that may be sent again as it is."""


@dataclass(frozen=True)
class Page:
    """Up to `page_size` documents (with `_id` and `_source`) of `total` in the whole scroll."""

    total: int
    documents: Sequence[Mapping[str, Any]]


class SearchServer:
    """One session with a search server. Use it as a context manager.

    `base_url` is the whole address; `timeout` is seconds per page.
    """

    def __init__(
        self, base_url: str, *, login: str = "", password: str = "", timeout: float = 120.0, first_wait: float = 1.0
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._back_off = wait_random_exponential(multiplier=first_wait, max=30)
        self._http = httpx.Client(
            base_url=self.base_url,
            auth=(login, password) if login else None,
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT_SECONDS),
            headers={"User-Agent": "stir"},
        )

    def __enter__(self) -> SearchServer:
        return self

    def __exit__(self, *_: Any) -> None:
        self._http.close()

    def scroll(
        self, index: str, query: Mapping[str, Any], fields: Sequence[str], *, page_size: int, keep_alive: str = "5m"
    ) -> Iterator[Page]:
        """Pages of all documents that match `query`, as they were when the scroll began, each with only `fields`.

        The first page comes even when it is empty. `keep_alive` is how long the server keeps the scroll between two
        pages: the time in which a page must be worked off.
        Raises SearchError when the server refuses, ScrollLostError when the scroll broke off or came up short.
        """
        body = {
            "size": page_size,
            "query": query,
            "_source": list(fields),
            "sort": ["_doc"],
            "track_total_hits": True,
        }
        reply = self._begin(index, body, keep_alive)
        scroll_id, total, received = reply.get("_scroll_id"), total_of(reply), 0
        try:
            while True:
                documents = documents_of(reply)
                received += len(documents)
                yield Page(total, documents)
                if not documents or received >= total:
                    break
                reply = self._next_page(scroll_id, keep_alive)
                scroll_id = reply.get("_scroll_id") or scroll_id
        finally:
            self._forget(scroll_id)
        if received != total:
            raise ScrollLostError(f"the server announced {total} documents of {index} and sent {received}")

    def _begin(self, index: str, body: Mapping[str, Any], keep_alive: str) -> dict[str, Any]:
        for attempt in Retrying(
            retry=retry_if_exception_type(_BusyError),
            stop=stop_after_attempt(TRIES),
            wait=self._back_off,
            reraise=True,
        ):
            with attempt:
                try:
                    reply = self._http.post(f"/{index}/_search", params={"scroll": keep_alive}, json=body)
                except httpx.TransportError as error:
                    raise _BusyError(f"no reply: {type(error).__name__}: {error}") from error
                if reply.status_code in BUSY:
                    raise _BusyError(f"HTTP {reply.status_code}: {reason_of(reply)}")
                if reply.status_code != 200:
                    raise SearchError(f"{self.base_url} refuses to search {index}: {reason_of(reply)}")
                return complete(reply)
        raise AssertionError("unreachable: Retrying reraises")

    def _next_page(self, scroll_id: str | None, keep_alive: str) -> dict[str, Any]:
        try:
            reply = self._http.post("/_search/scroll", json={"scroll": keep_alive, "scroll_id": scroll_id})
        except httpx.TransportError as error:
            raise ScrollLostError(f"no reply to a page: {type(error).__name__}: {error}") from error
        if reply.status_code != 200:
            raise ScrollLostError(f"a page was refused: HTTP {reply.status_code}: {reason_of(reply)}")
        return complete(reply)

    def _forget(self, scroll_id: str | None) -> None:
        """Give the server its memory back; it would do so itself when the scroll has expired."""
        if scroll_id is None:
            return
        try:
            self._http.request("DELETE", "/_search/scroll", json={"scroll_id": [scroll_id]})
        except httpx.TransportError as error:
            log.warning("the scroll could not be closed, the server will: %s", error)


def complete(reply: httpx.Response) -> dict[str, Any]:
    """Body of a reply in which no shard is missing. Raises ScrollLostError otherwise."""
    try:
        body = reply.json()
        shards = body["_shards"]
        failed = shards["failed"]
    except (ValueError, KeyError, TypeError):
        raise SearchError(f"no search server answers at {reply.url}: {' '.join(reply.text.split())[:200]}") from None
    if failed:
        raise ScrollLostError(f"{failed} of {shards.get('total')} shards failed: {shards.get('failures')}"[:400])
    if body.get("timed_out"):
        raise ScrollLostError("the search timed out on the server: its answer is not complete")
    return body


def documents_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Documents of a reply."""
    return body["hits"]["hits"]


def total_of(body: Mapping[str, Any]) -> int:
    """Exact number of matching documents; a number before version 7, an object since."""
    total = body["hits"]["total"]
    if isinstance(total, int):
        return total
    if total.get("relation", "eq") != "eq":
        raise SearchError(f"the server counts only up to {total.get('value')} documents, an exact number is needed")
    return total["value"]


def reason_of(reply: httpx.Response) -> str:
    """What the server says about an error, in one line."""
    try:
        error = reply.json()["error"]
        reason = f"{error['type']}: {error['reason']}" if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        reason = reply.text
    return " ".join(reason.split())[:300] or f"HTTP {reply.status_code}"
