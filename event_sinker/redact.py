"""Blanks credentials in the text of an HTTP trace, before it is parsed, stored or set aside.

The scraper logs each outbound call with its headers and its whole address, keys and tokens included. This works on the
text and not on the parsed value, so that a message that is no valid JSON is cleaned as well.
"""

from __future__ import annotations

import re

BLANK = "[redacted]"

# Part of a name is enough: x-rapidapi-key, ig_access_token, Proxy-Authorization, appsecret_proof.
_SECRET_NAME = rb"(?:authorization|cookie|password|passwd|secret|token|signature|api[-_]?key|[-_]key)"

# "name": "value" and "name": ["value", ...], as JSON writes them; the closing quote may be missing.
_FIELD = re.compile(
    rb'("[^"\\]{0,80}' + _SECRET_NAME + rb'[^"\\]{0,80}"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|\Z)|\[[^\]]*\]|[0-9.eE+-]+)',
    re.IGNORECASE,
)
# The same inside a text that holds JSON itself: \"name\": \"value\".
_NESTED = re.compile(
    rb'(\\+"[^"\\]{0,80}' + _SECRET_NAME + rb'[^"\\]{0,80}\\+"\s*:\s*\\+")[^"\\]*',
    re.IGNORECASE,
)
# name=value in an address or a form; `key` alone too, the usual name there.
_PARAMETER = re.compile(
    rb"((?:[?&]|\\u0026|\\n|\\\"|\"|\s)(?:key|[A-Za-z0-9_.-]{0,80}"
    + _SECRET_NAME
    + rb"[A-Za-z0-9_.-]{0,80})=)[^&\"\\\s#]*",
    re.IGNORECASE,
)
# user:password@host
_LOGIN = re.compile(rb"(://[^/\s:@\"]{1,200}:)[^/\s@\"]{1,400}(@)")
# Credentials that name themselves, wherever they stand.
_BEARER = re.compile(rb"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def redact(body: bytes) -> bytes:
    """The same text with the values of credentials replaced. Doing it twice changes nothing."""
    blank = BLANK.encode()
    body = _FIELD.sub(rb'\1"' + blank + rb'"', body)
    body = _NESTED.sub(rb"\1" + blank, body)
    body = _PARAMETER.sub(rb"\1" + blank, body)
    body = _LOGIN.sub(rb"\1" + blank + rb"\2", body)
    return _BEARER.sub(rb"\1" + blank, body)
