"""The scraper's smaller tables: stored pictures, connected accounts, and the audience insights of those."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa

from devstack.world import draws, special
from devstack.world.channels import Channels
from devstack.world.posts import DAY, Posts
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World
from devstack.world.vocabulary import AGES, CITIES, COUNTRY_WEIGHTS

_AGE_SHARES = {
    "male": np.array([0.0673, 0.2953, 0.2724, 0.0700, 0.0176, 0.0055, 0.0058]),
    "female": np.array([0.0217, 0.0951, 0.0969, 0.0335, 0.0106, 0.0037, 0.0033]),
}
POST_ASSET_DAYS = 30
POST_ASSET_SHARE = 0.6
_POST_ASSETS = 1_000_000_000  # ids of the pictures of posts, apart from those of profiles
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
    insights = [
        _insights(random, int(count), number)
        for count, number in zip(profiles.followers[connected], profiles.number[connected].tolist(), strict=True)
    ]
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
            # The scraper stores the two blocks of reached and engaged audiences under each other's name.
            "reached_audience_gender_age": pa.array([text[0] for text in insights[::-1]], pa.string()),
            "engaged_audience_gender_age": pa.array([text[0] for text in insights], pa.string()),
        }),
    }  # fmt: skip


def of_posts(world: World, profiles: Profiles, posts: Posts) -> pa.Table:
    """Pictures of the young posts and stories of a chunk: most have a copy, a tenth of them was refreshed since."""
    random = draws.stream(world.seed, "belongings of posts", int(profiles.number[0]))
    stored = np.flatnonzero(
        (posts.published > world.as_of_epoch - POST_ASSET_DAYS * DAY) & (random.random(len(posts)) < POST_ASSET_SHARE)
    )
    uploaded = np.minimum(posts.published[stored] + random.uniform(900, DAY, len(stored)), world.as_of_epoch - 10)
    refreshed = np.where(random.random(len(stored)) < 0.1, world.as_of_epoch - 5.0, uploaded)
    shortcode, post_id = (column.take(pa.array(stored)) for column in (posts.shortcode, posts.post_id))
    video = random.random(len(stored)) < 0.05
    return pa.table({
        "id": pa.array(posts.number[stored] + _POST_ASSETS),
        "entity_id": shortcode,
        "entity_type": pa.array(["POST"] * len(stored), pa.string()),
        "platform": pa.array(["INSTAGRAM"] * len(stored), pa.string()),
        "asset_type": draws.picked(["IMAGE", "VIDEO"], video.astype(np.int64)),
        "asset_url": draws.joined(
            "assets/posts/instagram/", shortcode, draws.picked([".jpg", ".mp4"], video.astype(np.int64))
        ),
        "original_url": draws.joined("https://scontent.cdninstagram.example/v/t51/", post_id, ".jpg"),
        "updated_at": moments(refreshed),
        "created_at": moments(uploaded),
    })  # fmt: skip


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
    for place, text in enumerate(_FEW_PERCENTAGES):
        if len(percentages) > 4 + place:  # the first ones stay ordinary
            percentages[4 + place] = text
    places = [_views(world, int(number)) for number in channels.number[connected]]
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
            "city": pa.array([text[0] for text in places], pa.string()),
            "country": pa.array([text[1] for text in places], pa.string()),
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


def _insights(random: np.random.Generator, followers: int, number: int) -> tuple[str | None, str | None, str]:
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
    gender_age, city, country = texts
    awkward = _AWKWARD.get(number - special.CONNECTED.start)
    if awkward:
        gender_age, city = awkward(gender_age, city)
    return gender_age, city, country


_AWKWARD: dict[int, Callable[[str, str], tuple[str | None, str | None]]] = {
    2: lambda gender_age, city: (None, city),
    3: lambda gender_age, city: (gender_age, None),
    4: lambda gender_age, city: ('{"male": {}, "female": {"18-24": 0}, "uncategorized": {"18-24": 12}}', "{}"),
    5: lambda gender_age, city: (
        gender_age,
        '{"Aurangabad, Bihar": 40, "Aurangabad, Maharashtra": 60, "DELHI": 9, "Pune, Maharashtra": 12.5, "Goa": null}',
    ),
}
"""What some of the always connected profiles tell instead, by their place among them: nothing, no counts, one city
under two names, a count with a fraction."""

_FEW_PERCENTAGES = ['{"male": {"age18-24": 60.0, "age65-": 1.5}, "female": {}, "uncategorized": {}}', "{}"]


def _views(world: World, number: int) -> tuple[str | None, str]:
    """Views by city and country of a channel; names with blanks and accents, and cities nobody watched from."""
    random = draws.stream(world.seed, "views by place", number)
    names = [*CITIES[: 6 + number % 8], "New Delhi", "São Paulo", "St. Louis"]
    cities = {name: int(count) for name, count in zip(names, random.integers(1, 50_000, len(names)), strict=True)}
    cities["Nobody"] = 0
    countries = {"IN": int(random.integers(1_000, 900_000)), "AE": int(random.integers(0, 9_000)), "US": 0}
    told = None if number == special.CONNECTED_CHANNELS.stop - 1 else orjson.dumps(cities).decode()
    return told, orjson.dumps(countries).decode()
