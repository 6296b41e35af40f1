"""What the language model answers about a profile, by question: as varied and as unreliable as it was seen to be.

Text, lists, lists as text, several names in one text, placeholders, places that do not exist, shares that are missing.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from devstack.beat import phrases
from devstack.world.vocabulary import AGES, CATEGORIES, CITIES

QUESTIONS = ("gender", "location", "categories", "audience_age", "audience_cities", "everything")
FLOWS = {
    "refresh_instagram_gpt_data_base_gender": "gender",
    "refresh_instagram_gpt_data_base_location": "location",
    "refresh_instagram_gpt_data_base_categ_lang_topics": "categories",
    "refresh_instagram_gpt_data_audience_age_gender": "audience_age",
    "refresh_instagram_gpt_data_audience_cities": "audience_cities",
    "refresh_instagram_gpt_data_gender_location_lang": "everything",
}
_VERSIONS = {
    "gender": ("v0.10",),
    "location": ("v0.10",),
    "categories": ("v0.10",),
    "audience_age": ("v0.11", "v0.10"),
    "audience_cities": ("v0.11", "v0.10"),
    "everything": ("v0.12",),
}


def version(question: str, turn: int = 0) -> str:
    """Version of the prompt; both questions about the audience were asked with two of them."""
    return _VERSIONS[question][turn % len(_VERSIONS[question])]


def answer(question: str, bits: int) -> dict[str, object]:
    """Dimensions beside the handle; the same bits (a number below 2^40) give the same answer."""
    return _ANSWERS[question](bits)


def _one(pool: list[object], bits: int) -> object:
    return pool[bits % len(pool)]


def _location(bits: int) -> dict[str, object]:
    # City, state and country of one answer stand at the same place of their pools, but the country may be another.
    return {
        "city": _one(phrases.CITIES, bits),
        "state": _one(phrases.STATES, bits),
        "country": _one(phrases.COUNTRIES_NAMED, bits // 16),
    }


def _categories(bits: int) -> dict[str, object]:
    topics = [phrases.TOPICS[(bits >> shift) % len(phrases.TOPICS)] for shift in range(0, 40, 8)]
    return {
        "categories": f"['{CATEGORIES[bits % len(CATEGORIES)]}', '{CATEGORIES[(bits >> 9) % len(CATEGORIES)]}']",
        "languages": _one(phrases.LANGUAGES_NAMED, bits),
        "topics": topics,
    }


def _audience_age(bits: int) -> dict[str, object]:
    """Fractions by age and gender that add up to about 1; some keys are missing, one answer in nine is all zeros."""
    weights = [1 + (bits >> shift) % 97 for shift in range(0, 28, 2)]
    total = sum(weights)
    shares = {
        f"{age} {gender}": round(weight / total, 3)
        for weight, (gender, age) in zip(weights, ((g, a) for g in ("male", "female") for a in AGES), strict=True)
    }
    if bits % 9 == 4:
        shares = dict.fromkeys(shares, 0)
    if bits % 7 == 3:
        shares = {key: share for key, share in shares.items() if not key.startswith("65+")} | {"other": 0.01}
    if bits % 11 == 5:
        shares["18-24 male"] = None
    return {"audience_gender_age": shares, "row_data": {"answer": orjson.dumps(shares).decode()}}


def _audience_cities(bits: int) -> dict[str, object]:
    """Fractions by city and `others`; one answer in six names too few cities, one in five a city in two spellings."""
    count = 2 + bits % 3 if bits % 6 == 1 else 8 + bits % 12
    names = [CITIES[(bits // 7 + place) % len(CITIES)] for place in range(count)]
    shares = {name: round(0.7 / (place + 2), 3) for place, name in enumerate(names)}
    if bits % 5 == 2:
        shares[names[0].upper()] = 0.02
    return {"audience_city": shares | {"others": 0.3}, "row_data": {"cities": names}}


def _gender(bits: int) -> dict[str, object]:
    return {"gender": _one(phrases.GENDERS, bits)}


_ANSWERS: dict[str, Callable[[int], dict[str, object]]] = {
    "gender": _gender,
    "location": _location,
    "categories": _categories,
    "audience_age": _audience_age,
    "audience_cities": _audience_cities,
    "everything": lambda bits: _gender(bits) | _location(bits) | {
        "languages": _one(phrases.LANGUAGES_NAMED, bits // 256)
    },
}  # fmt: skip
