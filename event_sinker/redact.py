"""Blanks credentials in an HTTP trace, before it is stored or set aside.

The scraper logs each outbound call with its headers and its whole address, keys and tokens included. What parses is
cleaned by the names of its fields, and texts inside by what stands in front of a value in an address or a form. What
does not parse is cleaned as text, as far as it is kept at all.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

BLANK = "[redacted]"
PARSED_BYTES = 1 << 20  # a larger body is taken as text
KEPT_BYTES = 1 << 16  # of a body that does not parse

# Part of a name is enough: x-rapidapi-key, ig_access_token, Proxy-Authorization, appsecret_proof.
_PART = (
    r"(?:authorization|cookie|passw|secret|token|signature|credential|session|proof"
    r"|(?:api|access|app|[-_.])[-_]?key)"
)
_WHOLE = r"(?:key|auth|x-auth|jwt|sig|sid|pwd|code)"
_NAME = rf"(?:[A-Za-z0-9_.\[\]-]{{0,60}}{_PART}[A-Za-z0-9_.\[\]-]{{0,60}}|{_WHOLE})"
_SECRET = re.compile(rf".{{0,60}}{_PART}.{{0,60}}|{_WHOLE}", re.IGNORECASE | re.DOTALL)

# name=value in an address or a form, also where both are percent-encoded.
_PARAMETER = re.compile(
    rf"((?<![A-Za-z0-9_.\[\]-])(?:%[0-9A-F]{{2}})?{_NAME}(?:=|%3D))(?:(?!%26)[^&\"\\\s#])+", re.IGNORECASE
)
# user:password@host
_LOGIN = re.compile(r"(://[^/\s:@\"]{1,200}:)[^/\s@\"]{1,400}(@)")
# Credentials that name themselves, wherever they stand.
_BEARER = re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
# A line of HTTP headers inside a text, with the lines that continue it. Prose has lines like `code: 5`, so only names
# that tell of nothing else count.
_LONG_NAME = rf"(?:[A-Za-z0-9_.-]{{0,60}}{_PART}[A-Za-z0-9_.-]{{0,60}}|x-auth|jwt|pwd)"
_HEADER = re.compile(
    rf"(^[ \t]*+(?:[<>][ \t]*+)?{_LONG_NAME}[ \t]*+:[ \t]*+)(?!\s)[^\r\n]+(?:\r?\n[ \t][^\r\n]+)*",
    re.IGNORECASE | re.MULTILINE,
)
# A header among the arguments of curl: quoted up to the same quote, or one word.
_ARGUMENT = re.compile(
    rf"((?<![\w-])(?:-H|--header)[ \t=]*+(?:(\\{{0,8}}['\"])|(?!['\"\\])){_LONG_NAME}[ \t]*+:[ \t]*+)"
    r"(?(2)(?:(?!\2)[^\r\n])+|(?:(?:Bearer|Basic)[ \t]++)?\S+)",
    re.IGNORECASE,
)
# A part of a multipart form: its boundary where there is one, its headers, an empty line.
_FORM_PART = re.compile(
    r"(?:^(--[^\r\n]{1,200})\r?\n(?:[^\r\n]{1,200}\r?\n){0,5}?)?"
    r"Content-Disposition:(?:[^\r\n]|\r?\n[ \t]){0,200}?\bname[ \t]{0,20}=[ \t]{0,20}"
    rf"[\"']?{_NAME}(?=[\"';\s])[^\r\n]{{0,200}}\r?\n(?:[^\r\n]{{1,200}}\r?\n){{0,5}}\r?\n",
    re.IGNORECASE | re.MULTILINE,
)
_BOUNDARY = re.compile(r"^--(?!---(?:BEGIN|END) )", re.MULTILINE)  # any but the lines around a key
# The first "name": of a credential in text that does not parse, where the quotes may be escaped, or 'name': in a dict
# of Python.
_FIELD = re.compile(
    rf"""(?:(?<!\\)\\{{0,8}}"{_NAME}\\{{0,8}}"|(?:\A|[{{,])\s*+[bu]?'{_NAME}')\s*+:""",
    re.IGNORECASE,
)


def redact_value(value: Any, name: str = "") -> Any:
    """A parsed trace with the values of credentials replaced.

    Raises:
        RecursionError: it is nested too deeply.
    """
    if name and _SECRET.fullmatch(name) and value not in (None, "", [], {}):
        return BLANK
    if isinstance(value, dict):
        return {key: redact_value(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_value(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def redact(body: bytes) -> bytes:
    """The same for a body that may be no JSON. Doing it twice changes nothing.

    Of what is no JSON, the text up to the first credential is kept, and at most KEPT_BYTES.
    """
    if len(body) <= PARSED_BYTES:
        try:
            return orjson.dumps(redact_value(orjson.loads(body)))
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
            pass
    kept = _broken(body[:KEPT_BYTES].decode("utf-8", "surrogateescape"))
    return kept.encode("utf-8", "surrogateescape")[:KEPT_BYTES]


def _text(text: str) -> str:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return orjson.dumps(redact_value(orjson.loads(text))).decode()
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass
    return _broken(text)


def _broken(text: str) -> str:
    """Text that is no JSON, up to the first field of a credential."""
    if field := _FIELD.search(text):
        text = f"{text[: field.end()]} {BLANK}"
    return _patterns(text)


def _patterns(text: str) -> str:
    text = _form_parts(text)
    text = _ARGUMENT.sub(rf"\1{BLANK}", text)
    text = _HEADER.sub(rf"\1{BLANK}", text)
    text = _PARAMETER.sub(rf"\1{BLANK}", text)
    text = _LOGIN.sub(rf"\1{BLANK}\2", text)
    return _BEARER.sub(rf"\1{BLANK}", text)


def _form_parts(text: str) -> str:
    """Blank what stands between the headers of a credential's part and the next boundary, or the end of the text."""
    kept, done = [], 0
    while part := _FORM_PART.search(text, done):
        boundary = re.compile(f"^{re.escape(part[1])}", re.MULTILINE) if part[1] else _BOUNDARY
        following = boundary.search(text, part.end())
        end = following.start() if following else len(text)
        value = text[part.end() : end]
        if value.strip():
            value = BLANK + value[len(value.rstrip("\r\n")) :]
        kept += [text[done : part.end()], value]
        done = end
    return "".join(kept) + text[done:]
