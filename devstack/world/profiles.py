"""Instagram profiles: who they are, how large, and how they grew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from devstack.world import draws, growth, special
from devstack.world.size import PROFILE_CHUNK, World
from devstack.world.vocabulary import (
    BIOGRAPHIES,
    CATEGORIES,
    CATEGORY_WEIGHTS,
    COUNTRIES,
    COUNTRY_WEIGHTS,
    FIRST_NAMES,
    LANGUAGE_WEIGHTS,
    LANGUAGES,
    SECOND_WORDS,
    SEPARATORS,
    rendered,
)

_BIOGRAPHY_POOL = rendered(BIOGRAPHIES, 240)
PICTURE = "https://scontent.cdninstagram.example/v/t51/"


@dataclass(frozen=True)
class Profiles:
    """One chunk of profiles; every array has one entry per profile, `number` is the position in the whole world."""

    number: np.ndarray
    profile_id: pa.Array
    handle: pa.Array
    former_handle: pa.Array  # NULL except for those that renamed themselves
    full_name: pa.Array
    biography: pa.Array
    growth: growth.Growth  # of followers
    following: np.ndarray
    media_count: np.ndarray
    category: np.ndarray  # index into CATEGORIES, -1 without
    language: np.ndarray  # index into LANGUAGES
    country: np.ndarray  # index into COUNTRIES
    profile_type: pa.Array
    account_type: pa.Array
    is_private: np.ndarray
    is_verified: np.ndarray
    tracked: np.ndarray  # regularly scraped: has events
    connected: np.ndarray  # the owner gave a token: insights exist
    followers_known: np.ndarray
    scraped: np.ndarray  # has a row in the scraper's tables
    updated_at: np.ndarray  # epoch seconds of the last scrape

    def __len__(self) -> int:
        return len(self.number)

    @property
    def followers(self) -> np.ndarray:
        """Followers at the end of the history."""
        return self.growth.today.astype(np.int64)

    def picture(self) -> pa.Array:
        return draws.joined(PICTURE, self.profile_id, "_n.jpg?stp=dst-jpg&oe=65F00000")


def chunks(world: World) -> range:
    """First positions of the chunks of Instagram profiles."""
    return range(0, world.size.profiles, PROFILE_CHUNK)


def chunk(world: World, start: int) -> Profiles:
    """The profiles from `start` on, at most PROFILE_CHUNK of them."""
    number = np.arange(start, min(start + PROFILE_CHUNK, world.size.profiles))
    rows = len(number)
    random = draws.stream(world.seed, "profiles", start)
    first = start == 0
    followers = np.clip(np.exp(random.normal(np.log(12_000), 1.9, rows)), 50, 250_000_000).astype(np.int64)
    category = np.where(random.random(rows) < 0.10, -1, draws.weighted(random, CATEGORY_WEIGHTS, rows))
    language = draws.weighted(random, LANGUAGE_WEIGHTS, rows)
    country = draws.weighted(random, COUNTRY_WEIGHTS, rows)
    tracked = random.random(rows) < world.size.tracked_share
    verified = random.random(rows) < np.select([followers >= 1_000_000, followers >= 100_000], [0.6, 0.05], 0.001)
    private, known, scraped = random.random(rows) < 0.03, np.ones(rows, dtype=bool), np.ones(rows, dtype=bool)
    if first:
        followers[special.ZERO_FOLLOWERS] = 0
        followers[special.TIED] = special.TIED_FOLLOWERS
        followers[special.TIED_ON_PLAYS_TOO] = special.TIED_FOLLOWERS // 2
        for tied in (special.TIED, special.TIED_ON_PLAYS_TOO):
            category[tied], language[tied] = CATEGORIES.index("Comedy"), LANGUAGES.index("hi")
        country[: special.HIGHEST] = COUNTRIES.index("IN")
        tracked[: special.HIGHEST] = True
        tracked[special.NEVER_SCRAPED] = scraped[special.NEVER_SCRAPED] = False
        private[: special.HIGHEST], private[special.PRIVATE] = False, True
        known[special.UNKNOWN_FOLLOWERS] = False
    developed = growth.drawn(random, followers)
    if first:
        for tied in (special.TIED, special.TIED_ON_PLAYS_TOO):
            growth.share(developed, tied)
    kind = random.choice(4, rows, p=[0.38, 0.38, 0.19, 0.05])
    age = np.where(tracked, random.uniform(0, 3, rows), random.uniform(0, 120, rows)) * 86_400
    handle, former = _handles(world, number)
    return Profiles(
        number=number,
        profile_id=draws.profile_ids(number, world.seed),
        handle=handle,
        former_handle=former,
        full_name=draws.with_nulls(_full_names(random, rows), random.random(rows) < 0.03),
        biography=draws.picked(_BIOGRAPHY_POOL, random.integers(0, len(_BIOGRAPHY_POOL), rows)),
        growth=developed,
        following=np.clip(np.exp(random.normal(np.log(550), 1.1, rows)), 0, 7_500).astype(np.int64),
        media_count=np.clip(np.exp(random.normal(np.log(280), 1.2, rows)), 0, 20_000).astype(np.int64),
        category=category,
        language=language,
        country=country,
        profile_type=draws.picked(["personal", "creator", "business", None], kind),
        account_type=draws.picked(["CREATOR", "BRAND", None], random.choice(3, rows, p=[0.25, 0.05, 0.70])),
        is_private=private,
        is_verified=verified,
        tracked=tracked,
        connected=((random.random(rows) < 0.03) | np.isin(number, np.array(special.CONNECTED))) & scraped,
        followers_known=known,
        scraped=scraped,
        updated_at=(world.as_of_epoch - 60 - age).astype(np.int64),
    )


def _handles(world: World, number: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """Current handles, and the former ones of those that renamed themselves; unique because they spell the position."""
    names, words, separators = len(FIRST_NAMES), len(SECOND_WORDS), len(SEPARATORS)
    combinations = names * words * separators
    block, within = np.divmod(number, combinations)
    # 7919 is coprime to every factor, so neighbours get different names and no combination is used twice.
    place = (within * 7_919 + int(draws.salt(world.seed, "handles") % np.uint64(combinations))) % combinations
    suffix = pa.array(np.where(block == 0, "", block.astype(str)).astype(object), pa.string())
    name = draws.picked(FIRST_NAMES, place % names)
    word = draws.picked(SECOND_WORDS, place // names % words)
    handle = draws.joined(name, draws.picked(SEPARATORS, place // names // words), word, suffix)
    renamed = (number >= special.RENAMED.start) & (number < special.RENAMED.stop)
    return handle, draws.with_nulls(draws.joined(handle, "_old"), ~renamed)


def identities(world: World, number: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """Profile ids and handles by position in the world, empty text for -1; no chunk has to be made for them."""
    known = np.maximum(number, 0)
    absent = pa.array(number < 0)
    handle, _ = _handles(world, known)
    return (
        pc.if_else(absent, "", draws.profile_ids(known, world.seed)),
        pc.if_else(absent, "", handle),
    )


def _full_names(random: np.random.Generator, rows: int) -> pa.Array:
    first = [name.capitalize() for name in FIRST_NAMES]
    second = [word.capitalize() for word in SECOND_WORDS]
    ends = ["", "", "", "", " ✨", ' "The Boss"', " | Official", " 🇮🇳", "'s World", " \\ Creator"]
    return draws.joined(
        draws.picked(first, random.integers(0, len(first), rows)),
        " ",
        draws.picked(second, random.integers(0, len(second), rows)),
        draws.picked(ends, random.integers(0, len(ends), rows)),
    )


def categories(index: np.ndarray) -> pa.Array:
    """Category labels, NULL for -1."""
    return draws.with_nulls(draws.picked(CATEGORIES, np.maximum(index, 0)), index < 0)


def moments(epoch_seconds: np.ndarray) -> pa.Array:
    """DateTime64(6) values of whole or fractional epoch seconds."""
    return pa.array((np.asarray(epoch_seconds, dtype=np.float64) * 1_000_000).astype(np.int64)).cast(pa.timestamp("us"))


def account_table(world: World, profiles: Profiles) -> pa.Table:
    """Rows of `beat_replica.instagram_account` for the scraped ones of a chunk.

    A renamed profile has a second, older row: the profile id that another account had taken the former handle with.
    """
    random = draws.stream(world.seed, "instagram_account", int(profiles.number[0]))
    rows = len(profiles)
    business = pc.fill_null(pc.is_in(profiles.profile_type, pa.array(["creator", "business"])), False)
    tagged = random.random(rows) < 0.30
    table = pa.table({
        "id": pa.array(profiles.number + 1),
        "profile_id": profiles.profile_id,
        "handle": profiles.handle,
        "full_name": profiles.full_name,
        "profile_type": profiles.profile_type,
        "biography": profiles.biography,
        "followers": pa.array(profiles.followers, mask=~profiles.followers_known),
        "following": pa.array(profiles.following, mask=random.random(rows) < 0.02),
        "profile_pic_url": draws.with_nulls(profiles.picture(), random.random(rows) < 0.02),
        "category": draws.with_nulls(categories(profiles.category), random.random(rows) < 0.4),
        "fbid": draws.joined("1784", draws.texts(10_000_000_000_00 + profiles.number * 7_919)),
        "media_count": pa.array(profiles.media_count, mask=random.random(rows) < 0.02),
        "is_business_or_creator": business.cast(pa.uint8()),
        "is_private": pa.array(profiles.is_private.astype(np.uint8)),
        "is_verified": pa.array(profiles.is_verified.astype(np.uint8)),
        "on_gcc": pa.array((random.random(rows) < 0.05).astype(np.uint8)),
        "created_at": moments(world.as_of_epoch - random.uniform(150, 900, rows) * 86_400),
        "updated_at": moments(profiles.updated_at),
        "country": draws.with_nulls(draws.picked(COUNTRIES, profiles.country), ~tagged),
        "language": draws.with_nulls(draws.picked(LANGUAGES, profiles.language), random.random(rows) >= 0.25),
        "account_type": profiles.account_type,
    })  # fmt: skip
    table = table.filter(pa.array(profiles.scraped))
    if profiles.number[0] == 0:
        table = pa.concat_tables([table, _takers_of_former_handles(world, profiles)], promote_options="default")
    return table


def _takers_of_former_handles(world: World, profiles: Profiles) -> pa.Table:
    """Accounts that carried, in an older scrape, the handle that a renamed profile carries today."""
    renamed = np.array(special.RENAMED)
    return pa.table({
        "id": pa.array(world.size.profiles + 1 + np.arange(len(renamed))),
        "profile_id": draws.profile_ids(world.size.profiles + renamed, world.seed),
        "handle": profiles.handle.take(pa.array(renamed)),
        "followers": pa.array(np.full(len(renamed), 120)),
        "created_at": moments(np.full(len(renamed), world.as_of_epoch - 500 * 86_400)),
        "updated_at": moments(np.full(len(renamed), world.as_of_epoch - 300 * 86_400)),
        "country": pa.array(["IN"] * len(renamed)),
    })  # fmt: skip
