"""Documents, the queries that choose among them, and the scrolls that walk through them.

A scroll walks through the index as it was when the scroll began, and moves on when a page is taken: taking it again
gives the next one.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST_PAGE = 10_000
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}

Document = Mapping[str, Any]


class RequestError(Exception):
    """A request that the engine refuses: HTTP status, type and reason, as in its error body."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason = status, kind, reason


@dataclass
class Scroll:
    """What is left of one walk."""

    index: str
    total: int
    remaining: list[tuple[str, Document]]
    page_size: int
    fields: list[str] | None
    ends_at: float


@dataclass
class Engine:
    """All indices and open scrolls of one server. `refresh` is called before an index is looked at."""

    indices: dict[str, dict[str, Document]] = field(default_factory=dict)
    scrolls: dict[str, Scroll] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    refresh: Callable[[], None] = lambda: None

    def put(self, index: str, identity: str, document: Document) -> None:
        """Store a document, in place of an earlier one with its id."""
        self.indices.setdefault(index, {})[identity] = document

    def count(self, index: str) -> int:
        """Documents of an index, 0 when there is none."""
        self.refresh()
        return len(self.indices.get(index, {}))

    def begin(self, index: str, body: Mapping[str, Any], keep_alive: str) -> tuple[str, Scroll]:
        """Open a scroll; RequestError when the index is missing or the search is not understood."""
        self.refresh()
        if index not in self.indices:
            raise RequestError(404, "index_not_found_exception", f"no such index [{index}]")
        size = body.get("size", 10)
        if not isinstance(size, int) or not 0 < size <= LARGEST_PAGE:
            raise RequestError(
                400, "illegal_argument_exception", f"Batch size is too large, [size] must be at most [{LARGEST_PAGE}]"
            )
        unknown = set(body) - {"size", "query", "_source", "sort", "track_total_hits"}
        if unknown:
            raise RequestError(400, "parsing_exception", f"unknown key [{sorted(unknown)[0]}]")
        fits = condition(body.get("query") or {"match_all": {}})
        chosen = [(identity, document) for identity, document in self.indices[index].items() if fits(document)]
        scroll = Scroll(index, len(chosen), chosen, size, body.get("_source"), self.clock() + seconds(keep_alive))
        scroll_id = secrets.token_urlsafe(24)
        self.scrolls[scroll_id] = scroll
        return scroll_id, scroll

    def open(self, scroll_id: str, keep_alive: str) -> Scroll:
        """An open scroll, its life renewed; RequestError when it has expired or was closed."""
        scroll = self.scrolls.get(scroll_id)
        if scroll is None or scroll.ends_at < self.clock():
            self.scrolls.pop(scroll_id, None)
            raise RequestError(404, "search_context_missing_exception", f"No search context found for id [{scroll_id}]")
        scroll.ends_at = self.clock() + seconds(keep_alive)
        return scroll

    def page(self, scroll: Scroll) -> list[dict[str, Any]]:
        """The next documents of a scroll; empty at its end."""
        taken, scroll.remaining = scroll.remaining[: scroll.page_size], scroll.remaining[scroll.page_size :]
        return [
            {"_index": scroll.index, "_id": identity, "_score": None, "_source": only(document, scroll.fields)}
            for identity, document in taken
        ]

    def close(self, scroll_ids: list[str]) -> int:
        """Close scrolls; how many there were."""
        return sum(self.scrolls.pop(scroll_id, None) is not None for scroll_id in scroll_ids)


def condition(query: Mapping[str, Any]) -> Callable[[Document], bool]:
    """What a query asks of a document: match_all, match_phrase, term, and bool with filter or must."""
    ((kind, content),) = query.items()
    if kind == "match_all":
        return lambda document: True
    if kind in ("match_phrase", "term"):
        ((path, wanted),) = content.items()
        if kind == "term":
            return lambda document: at(document, path) == wanted
        phrase = words(str(wanted))
        return lambda document: contains(words(str(at(document, path) or "")), phrase)
    if kind == "bool" and set(content) <= {"filter", "must"}:
        parts = [condition(part) for clauses in content.values() for part in clauses]
        return lambda document: all(part(document) for part in parts)
    raise RequestError(400, "parsing_exception", f"unknown query [{kind}]")


def at(document: Document, path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    value: Any = document
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def only(document: Document, fields: list[str] | None) -> Document:
    """The document with nothing but the fields at these dotted paths, nested as before; all of it for None."""
    if fields is None:
        return document
    kept: dict[str, Any] = {}
    for path in fields:
        value = at(document, path)
        if value is None:
            continue
        inner = kept
        *steps, last = path.split(".")
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return kept


def words(text: str) -> list[str]:
    """A text as the standard analyzer sees it."""
    return re.findall(r"\w+", text.lower())


def contains(text: list[str], phrase: list[str]) -> bool:
    """The words of the phrase follow each other in the text."""
    return any(text[start : start + len(phrase)] == phrase for start in range(len(text) - len(phrase) + 1))


def seconds(keep_alive: str) -> float:
    """A time value such as `5m`; RequestError for anything else."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", keep_alive)
    if not found:
        raise RequestError(400, "illegal_argument_exception", f"[scroll] is no time value: [{keep_alive}]")
    return int(found[1]) * _UNITS[found[2]]
