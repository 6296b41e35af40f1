"""Random streams and identifiers that depend on nothing but the seed and what they are for.

Each table and chunk has its own stream, so adding a table or changing the order of chunks changes no other row.
Identifiers are bijections of a row's number, hence unique without a look-up.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BASE64URL = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", dtype=np.uint8)
_HEX = np.frombuffer("".join(f"{value:02x}" for value in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
_PROFILE_ID_MODULUS = 59_999_999_983  # prime: multiplication by a smaller number permutes the residues


def stream(seed: int, *purpose: object) -> np.random.Generator:
    """Generator of its own for one purpose, e.g. `stream(seed, "posts", chunk)`."""
    return np.random.Generator(np.random.Philox(key=_key(seed, *purpose)))


def salt(seed: int, *purpose: object) -> np.uint64:
    """Constant that makes the identifiers of one kind differ between seeds."""
    return np.uint64(_key(seed, *purpose) & 0xFFFFFFFFFFFFFFFF)


def mix(values: np.ndarray) -> np.ndarray:
    """Scatter 64-bit integers (the finaliser of splitmix64): a bijection, vectorised."""
    mixed = values.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def codes(numbers: np.ndarray, key: np.uint64) -> pa.Array:
    """11 characters of the base64url alphabet, as in Instagram shortcodes and YouTube video ids."""
    return _fixed_width(_base64url(mix(numbers.astype(np.uint64) ^ key)))


def channel_ids(numbers: np.ndarray, key: np.uint64) -> pa.Array:
    """`UC`, 21 characters of the base64url alphabet and one of `AQgw`."""
    first = mix(numbers.astype(np.uint64) ^ key)
    second = mix(first + np.uint64(1))
    text = np.empty((len(numbers), 24), dtype=np.uint8)
    text[:, :2] = np.frombuffer(b"UC", dtype=np.uint8)
    text[:, 2:13] = _base64url(first)
    text[:, 13:23] = _base64url(second)[:, :10]
    text[:, 23] = np.frombuffer(b"AQgw", dtype=np.uint8)[(second % np.uint64(4)).astype(np.intp)]
    return _fixed_width(text)


def event_ids(numbers: np.ndarray, key: np.uint64) -> pa.Array:
    """Text of version 4 UUIDs, one per number."""
    high = mix(numbers.astype(np.uint64) ^ key)
    low = mix(high + np.uint64(0x9E3779B97F4A7C15))
    raw = np.empty((len(numbers), 16), dtype=np.uint8)
    raw[:, :8] = high.astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, 8:] = low.astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    digits = _HEX[raw].reshape(-1, 32)
    text = np.full((len(numbers), 36), ord("-"), dtype=np.uint8)
    for target, source, length in ((0, 0, 8), (9, 8, 4), (14, 12, 4), (19, 16, 4), (24, 20, 12)):
        text[:, target : target + length] = digits[:, source : source + length]
    return _fixed_width(text)


def profile_ids(numbers: np.ndarray, seed: int) -> pa.Array:
    """Instagram profile ids: 8 to 11 digits as text."""
    multiplier, shift = (int(salt(seed, part) % np.uint64(_PROFILE_ID_MODULUS - 1)) + 1 for part in ("pid", "shift"))
    scattered = [(int(number) * multiplier + shift) % _PROFILE_ID_MODULUS + 10_000_000 for number in numbers]
    return texts(np.array(scattered, dtype=np.int64))


def texts(numbers: np.ndarray) -> pa.Array:
    """Decimal text of integers."""
    return pa.array(numbers).cast(pa.string())


def joined(*parts: pa.Array | str) -> pa.Array:
    """Row-wise concatenation of texts; a plain string is repeated in each row."""
    return pc.binary_join_element_wise(*[pa.scalar(part) if isinstance(part, str) else part for part in parts], "")


def picked(pool: list[str] | list[str | None], indexes: np.ndarray) -> pa.Array:
    """Texts of a pool by index."""
    return pa.array(pool, pa.string()).take(pa.array(indexes))


def weighted(random: np.random.Generator, weights: dict[str, float], rows: int) -> np.ndarray:
    """Indexes into the keys of `weights`, drawn in proportion to the values."""
    shares = np.array(list(weights.values()))
    return random.choice(len(shares), rows, p=shares / shares.sum())


def with_nulls(column: pa.Array, missing: np.ndarray) -> pa.Array:
    """The column with NULL where `missing` is true."""
    return pc.if_else(pa.array(missing), pa.scalar(None, column.type), column)


def _key(seed: int, *purpose: object) -> int:
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def _base64url(values: np.ndarray) -> np.ndarray:
    # 64 bits are ten characters of six bits and one of four.
    shifts = np.array([58, 52, 46, 40, 34, 28, 22, 16, 10, 4], dtype=np.uint64)
    text = np.empty((len(values), 11), dtype=np.uint8)
    text[:, :10] = _BASE64URL[((values[:, None] >> shifts) & np.uint64(63)).astype(np.intp)]
    text[:, 10] = _BASE64URL[((values & np.uint64(15)) << np.uint64(2)).astype(np.intp)]
    return text


def _fixed_width(text: np.ndarray) -> pa.Array:
    rows, width = text.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
