"""Where a picture is stored, and by which number its address is known."""

from __future__ import annotations

import hashlib


def asset_hash(url: str) -> int:
    """The first eight bytes of the address's MD5, big-endian: what ClickHouse calls halfMD5."""
    return int.from_bytes(hashlib.md5(url.encode(), usedforsecurity=False).digest()[:8], "big")


def asset_key(entity_type: str, platform: str, entity_id: str, asset_type: str, url: str) -> str:
    """Key in object storage: `assets/<entity type>s/<platform>/<id>.<ext>`."""
    if asset_type == "VIDEO":
        extension = "mp4"
    elif "jpg" in url or "jpeg" in url:
        extension = "jpg"
    else:
        extension = "webp" if "webp" in url else "png"
    return f"assets/{entity_type.lower()}s/{platform.lower()}/{entity_id}.{extension}"
