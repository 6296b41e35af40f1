"""HTTP content encodings that ClickHouse clients use: gzip, deflate, lz4 frames and zstd."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable

import lz4.frame
from backports import zstd

from devstack.clickhouse.errors import ClickHouseError


def _all_lz4_frames(body: bytes) -> bytes:
    """clickhouse-connect sends one frame per block; `lz4.frame.decompress` would stop after the first."""
    with lz4.frame.open(io.BytesIO(body)) as frames:
        return frames.read()


_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda data: zstd.compress(data, 1),
    "gzip": lambda data: gzip.compress(data, 1),
    "deflate": lambda data: zlib.compress(data, 1),
}
_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": _all_lz4_frames,
    "zstd": zstd.decompress,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


def decompress(encoding: str, body: bytes) -> bytes:
    """The body without its Content-Encoding. Raises ClickHouseError 48 for an unknown one and 354 for broken data."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not body:
        return body
    function = _DECOMPRESS.get(encoding)
    if function is None:
        raise ClickHouseError(
            48, f"Unknown compression method {encoding}; use one of {', '.join(_DECOMPRESS)}", "NOT_IMPLEMENTED"
        )
    try:
        return function(body)
    except (OSError, EOFError, RuntimeError, zlib.error, zstd.ZstdError) as error:
        raise ClickHouseError(354, f"Cannot decompress the {encoding} body: {error}", "CANNOT_DECOMPRESS") from None


def choose(accepted: str) -> str:
    """The first encoding of an Accept-Encoding header that can be produced, or an empty string."""
    for item in accepted.split(","):
        name = item.split(";")[0].strip().lower()
        if name in _COMPRESS:
            return name
    return ""


def compress(encoding: str, body: bytes) -> bytes:
    return _COMPRESS[encoding](body)
