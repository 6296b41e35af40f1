"""What providers tell about some posts beyond their counters: who is tagged, where it was taken, which words it uses.

Each provider has its own spelling of the same fact. Places, tags and words follow from the number of the post, so every
snapshot of it agrees; only their spelling is that of the snapshot's provider.
"""

from __future__ import annotations

import numpy as np

from devstack.world import draws
from devstack.world.posts import STORY, Posts
from devstack.world.profiles import Profiles
from devstack.world.size import World
from devstack.world.vocabulary import CITIES, COUNTRIES, COUNTRY_NAMES, TAGS

_NAMES = {code: name for name, code in reversed(COUNTRY_NAMES.items())}
_ABROAD = ["Dubai, United Arab Emirates", "Kathmandu, Nepal", "London, United Kingdom"]
_TAGGING = {"rapidapi-arraybobo": "user", "rocketapi": "user"}


def of(
    world: World, profiles: Profiles, posts: Posts, picked: np.ndarray, source: list[str]
) -> list[dict[str, object]]:
    """Additional dimensions of the posts at positions `picked`, as the provider of each snapshot tells them."""
    number = draws.mix(posts.number[picked].astype(np.uint64) ^ draws.salt(world.seed, "decorations"))
    handles, country = profiles.handle.to_pylist(), profiles.country[posts.owner[picked]].tolist()
    return [
        _tagged(bits, provider, handles) | _placed(bits, provider, home) | _told(bits, kind == STORY)
        for bits, provider, home, kind in zip(
            number.tolist(), source, country, posts.kind[picked].tolist(), strict=True
        )
    ]


def _tagged(bits: int, provider: str, handles: list[str]) -> dict[str, object]:
    """Nobody in half of the posts, which some tell as an empty list; else one to three, now and then one twice."""
    tags = bits % 8
    if tags > 3:
        return {"user_tags": []} if tags == 7 else {}
    names = [handles[(bits >> 8 + 16 * place) % len(handles)] for place in range(1 + tags % 3)]
    if tags == 3:
        names = [names[0], names[0], 'brand."official"']
    if provider == "lama":
        return {"tagged_user_handles": names}
    if provider in _TAGGING:
        return {"user_tags": [{"user": {"username": name, "is_verified": False}} for name in names]}
    return {"user_tags": [{"username": name, "full_name": name.title()} for name in names]}


def _placed(bits: int, provider: str, home: int) -> dict[str, object]:
    """A place in a third of the posts, mostly in the owner's country, with coordinates as numbers or as text."""
    where = (bits >> 3) % 12
    if where > 3:
        return {"location": "" if where == 11 else []} if where > 9 else {}
    city = CITIES[(bits >> 10) % len(CITIES)]
    name = _ABROAD[bits % len(_ABROAD)] if where == 3 else f"{city}, {_NAMES[COUNTRIES[home]]}"
    lat, long = round(8 + (bits >> 20) % 25_000 / 1_000, 4), round(68 + (bits >> 36) % 29_000 / 1_000, 4)
    if provider == "lama":
        return {"location": {"name": name, "slug": name.lower()}, "location_city": city, "location_lat": str(lat),
                "location_long": str(long)}  # fmt: skip
    return {"location": name, "location_lat": lat, "location_long": long}


def _told(bits: int, story: bool) -> dict[str, object]:
    if story:
        return {
            "content_type": ("image", "video")[bits % 2],
            "story_links": [f"https://gcc.li/{bits % 997:x}"],
            "story_hashtags": ["swipeup"] if bits % 3 else [],
        }
    if bits % 5:
        return {}
    first, second = TAGS[(bits >> 5) % len(TAGS)], TAGS[(bits >> 9) % len(TAGS)]
    return {"keywords": f"['{first}', '{second}']", "is_paid_partnership": bits % 2 == 0}
