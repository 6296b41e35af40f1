"""The scraper's smaller tables: stored pictures, connected accounts, and the audience insights of those."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from devstack.world import draws
from devstack.world.channels import Channels
from devstack.world.posts import DAY
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World
from devstack.world.vocabulary import CITIES, COUNTRY_WEIGHTS

AGES = ["13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"]
_AGE_SHARES = {
    "male": np.array([0.0673, 0.2953, 0.2724, 0.0700, 0.0176, 0.0055, 0.0058]),
    "female": np.array([0.0217, 0.0951, 0.0969, 0.0335, 0.0106, 0.0037, 0.0033]),
}
_STATES = ["Delhi", "Maharashtra", "Uttar Pradesh", "Karnataka", "Maharashtra", "Maharashtra", "Telangana"]


def of_profiles(world: World, profiles: Profiles) -> dict[str, pa.Table]:
    """Pictures, graph API credentials and insights of a chunk of Instagram profiles."""
    random = draws.stream(world.seed, "belongings of profiles", int(profiles.number[0]))
    stored = np.flatnonzero(profiles.scraped & (random.random(len(profiles)) < 0.5))
    connected = np.flatnonzero(profiles.connected)
    uploaded = moments(world.as_of_epoch - random.uniform(1, 120, len(stored)) * DAY)
    profile_id = profiles.profile_id.take(pa.array(stored))
    refreshed = moments(world.as_of_epoch - random.uniform(0.1, 8, len(connected)) * DAY)
    owners = pa.array(connected)
    insights = [_insights(random, int(count)) for count in profiles.followers[connected]]
    return {
        "beat_replica.asset_log": pa.table({
            "id": pa.array(profiles.number[stored] + 1),
            "entity_id": profile_id,
            "entity_type": pa.array(["PROFILE"] * len(stored)),
            "platform": pa.array(["INSTAGRAM"] * len(stored)),
            "asset_type": pa.array(["IMAGE"] * len(stored)),
            "asset_url": draws.joined("assets/profiles/instagram/", profile_id, ".jpg"),
            "original_url": profiles.picture().take(pa.array(stored)),
            "updated_at": uploaded,
            "created_at": uploaded,
        }),
        "beat_replica.credential": _credentials(
            world, profiles.number[connected], "graphapi", profiles.handle.take(owners)
        ),
        "beat_replica.instagram_profile_insights": pa.table({
            "id": pa.array(profiles.number[connected] + 1),
            "profile_id": profiles.profile_id.take(owners),
            "handle": profiles.handle.take(owners),
            "created_at": moments(np.full(len(connected), world.as_of_epoch - 200 * DAY)),
            "updated_at": refreshed,
            "audience_gender_age": pa.array([text[0] for text in insights], pa.string()),
            "audience_city": pa.array([text[1] for text in insights], pa.string()),
            "audience_country": pa.array([text[2] for text in insights], pa.string()),
        }),
    }  # fmt: skip


def of_channels(world: World, channels: Channels) -> dict[str, pa.Table]:
    """YouTube credentials and insights of a chunk of channels."""
    random = draws.stream(world.seed, "belongings of channels", int(channels.number[0]))
    connected = np.flatnonzero(channels.connected)
    owners = pa.array(connected)
    percentages = [
        orjson.dumps({
            gender: {
                f"age{age}".replace("+", "-"): round(float(share) * 100, 2)
                for age, share in zip(AGES, shares * random.uniform(0.7, 1.3, 7), strict=True)
            }
            for gender, shares in _AGE_SHARES.items()
        } | {"uncategorized": {}}).decode()
        for _ in connected
    ]  # fmt: skip
    return {
        "beat_replica.credential": _credentials(
            world, channels.number[connected] + 10_000_000, "ytapi", channels.channel_id.take(owners)
        ),
        "beat_replica.youtube_profile_insights": pa.table({
            "id": pa.array(channels.number[connected] + 1),
            "channel_id": channels.channel_id.take(owners),
            "created_at": moments(np.full(len(connected), world.as_of_epoch - 200 * DAY)),
            "updated_at": moments(world.as_of_epoch - random.uniform(0.1, 8, len(connected)) * DAY),
            "gender_age": pa.array(percentages, pa.string()),
        }),
    }  # fmt: skip


def shops(world: World) -> pa.Table:
    """Two connected shops."""
    stores = pa.array(["glow-and-go.myshop.example", "spice-box.myshop.example"])
    return _credentials(world, np.array([20_000_000, 20_000_001]), "shopify", stores)


def _credentials(world: World, number: np.ndarray, source: str, handle: pa.Array) -> pa.Table:
    return pa.table({
        "id": pa.array(number + 1),
        "source": pa.array([source] * len(number), pa.string()),
        "handle": handle,
        "created_at": moments(np.full(len(number), world.as_of_epoch - 200 * DAY)),
        "updated_at": moments(np.full(len(number), world.as_of_epoch - 2 * DAY)),
        "enabled": pa.array((number % 12 != 5).astype(np.uint8)),
        "data_access_expired": pa.array((number % 30 == 7).astype(np.uint8)),
    })  # fmt: skip


def _insights(random: np.random.Generator, followers: int) -> tuple[str, str, str]:
    """Audience as the graph API tells it: counts by gender and age, by city, by country."""
    ages = {
        gender: dict(zip(AGES, (followers * shares * random.uniform(0.7, 1.3, 7)).astype(int).tolist(), strict=True))
        for gender, shares in _AGE_SHARES.items()
    }
    zipf = 1 / np.arange(1, len(CITIES) + 1) ** 0.9
    order = random.permutation(len(CITIES))
    cities = {
        f"{CITIES[place]}, {_STATES[place % len(_STATES)]}": int(followers * share)
        for place, share in zip(order, 0.5 * zipf / zipf.sum(), strict=True)
    }
    total = sum(COUNTRY_WEIGHTS.values())
    countries = {code: int(followers * weight / total) for code, weight in COUNTRY_WEIGHTS.items()}
    texts = (orjson.dumps(value).decode() for value in (ages | {"uncategorized": {}}, cities, countries))
    return tuple(texts)
