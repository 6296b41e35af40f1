"""What two facts must have in common to be the same fact: their texts and, key by key, their JSON.

PostgreSQL holds arrays of key/value pairs or flat objects, ClickHouse flat objects. Both become one set of
(path, value) items, so that equal sets are equal facts and the difference of two sets names the keys that differ.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Any

Content = frozenset[tuple[str, Hashable]]


class _Unreadable(Exception):
    """A document that is not what its column promises. The text says what was expected."""


def content_of(texts: Mapping[str, str], documents: Mapping[str, str | None], reference: str) -> Content:
    """The comparable content of one fact: `texts` as they are, `documents` (JSON text by column) key by key.

    A document that cannot be read becomes an item that equals nothing else: its value is `reference`, the row's id.
    """
    items: set[tuple[str, Hashable]] = set(texts.items())
    for column, text in documents.items():
        try:
            items.update((f"{column}.{key}", value) for key, value in _document(text).items())
        except _Unreadable as problem:
            items.add((f"{column} ({problem})", reference))
    return frozenset(items)


def differing_keys(one: Content, other: Content) -> list[str]:
    """Where two contents differ: `metrics.followers`, `source`. Never a value, it may be personal."""
    return sorted({path for path, _ in one ^ other})


def _document(text: str | None) -> dict[str, Hashable]:
    """Key -> comparable value. NULL is an empty document on both sides: the sinker stores null as {}."""
    if text is None:
        return {}
    try:
        loaded = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_constant)
        return {key: _comparable(value) for key, value in _folded(loaded).items()}
    except (ValueError, RecursionError):
        raise _Unreadable("not JSON") from None


def _folded(document: Any) -> dict[str, Any]:
    """Pairs as the publisher folds them: one object, the last value of a key counts."""
    if document is None:
        return {}
    if isinstance(document, dict):
        return document
    if isinstance(document, list) and all(
        isinstance(pair, dict) and isinstance(pair.get("key"), str) and "value" in pair for pair in document
    ):
        return {pair["key"]: pair["value"] for pair in document}
    raise _Unreadable("neither an object nor an array of key/value objects")


def _number(text: str) -> tuple[str, Hashable]:
    """Numbers keep every digit and compare by value: 10, 10.0 and 1e1 are one number."""
    try:
        return "number", Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        return "number", text


def _constant(text: str) -> tuple[str, Hashable]:
    return "constant", text  # NaN and the infinities: not JSON, but Python writes them into text columns


def _comparable(value: Any) -> Hashable:
    """A value that can be compared and hashed. The type is part of it: in Python, True equals 1."""
    if isinstance(value, dict):
        return "object", frozenset((key, _comparable(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_comparable, value))
    return value if isinstance(value, tuple) else (type(value).__name__, value)
