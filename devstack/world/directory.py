"""The bought dumps (vidooly) and the lists of data science (ds).

They end in the first half of 2023, as they do in production, and what they say about an account agrees with its later
development: older counters follow the same growth backwards.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from devstack.world import draws
from devstack.world.channels import Channels
from devstack.world.posts import DAY, POST_TYPES
from devstack.world.profiles import Profiles, categories
from devstack.world.size import World
from devstack.world.vocabulary import (
    CATEGORIES,
    CITIES,
    COUNTRIES,
    COUNTRY_NAMES,
    LANGUAGES,
    YOUTUBE_CATEGORIES,
)

OLD_SHARE = 0.4  # of the accounts that existed when the dumps were made
_AGES = ["13_17", "18_24", "25_34", "35_44", "45_54", "55_64", "65"]
_PRIOR = {
    "m": [0.0673, 0.2953, 0.2724, 0.0700, 0.0176, 0.0055, 0.0058],
    "f": [0.0217, 0.0951, 0.0969, 0.0335, 0.0106, 0.0037, 0.0033],
}


def constants() -> dict[str, pa.Table]:
    """Tables that are the same in every world: categories and countries."""
    return {
        "vidooly.category": pa.table({
            "id": pa.array(np.arange(len(CATEGORIES)) + 1),
            "category": pa.array(CATEGORIES),
        }),
        "vidooly.youtube_category": pa.table({
            "id": pa.array(list(YOUTUBE_CATEGORIES)),
            "category": pa.array(list(YOUTUBE_CATEGORIES.values())),
        }),
        "ds.country_codes": pa.table({
            "name": pa.array(list(COUNTRY_NAMES)),
            "code": pa.array(list(COUNTRY_NAMES.values())),
        }),
    }  # fmt: skip


def of_profiles(world: World, profiles: Profiles) -> dict[str, pa.Table]:
    """Dumps about a chunk of Instagram profiles."""
    random = draws.stream(world.seed, "directory of profiles", int(profiles.number[0]))
    rows = len(profiles)
    old = np.flatnonzero(random.random(rows) < OLD_SHARE)
    listed = np.flatnonzero((random.random(rows) < 0.75) & ~_linked(world, profiles.number))
    score = random.uniform(0.5, 1.0, rows).round(4)
    label = categories(np.where(random.random(rows) < 0.9, np.maximum(profiles.category, 0), 0)).to_pylist()
    predicted = np.flatnonzero(profiles.category >= 0)[::2]
    days = _days_before(world, 2022, 12)
    past = profiles.growth.at(old, np.full(len(old), days))
    missing = random.random(len(old)) < 0.03
    return {
        "vidooly.social_profiles_new_20230217": _directory(
            random,
            instagram_userid=profiles.profile_id.take(pa.array(listed)),
            instagram_username=profiles.handle.take(pa.array(listed)),
            youtube_userid=pa.array([""] * len(listed)),
            country=profiles.country[listed],
            category=profiles.category[listed],
            language=profiles.language[listed],
            youtube_category=pa.nulls(len(listed), pa.string()),
        ),
        "vidooly.instagram_page_stats": _page_stats(world, profiles, old),
        "vidooly.instagram_posts_historical_cleaned_v2": _old_posts(world, random, profiles, old),
        "vidooly.instagram_profiles": pa.table({
            "profile_id": profiles.profile_id.take(pa.array(old)),
            "profile_name": profiles.handle.take(pa.array(old)),
            "followers": pa.compute.if_else(pa.array(missing), "NULL", draws.texts(past)),
            "country": draws.picked([*COUNTRIES, "NULL"], np.where(missing, len(COUNTRIES), profiles.country[old])),
            "city": draws.joined(draws.picked(CITIES, random.integers(0, len(CITIES), len(old))), ", India"),
            "gender": draws.picked(["M", "F", ""], random.integers(0, 3, len(old))),
            "email": pa.array(["NULL"] * len(old)),
        }),
        "ds.categorization_zsl": pa.table({
            "profile_id": profiles.profile_id.take(pa.array(predicted)),
            "ig_category": pa.array([label[row] for row in predicted.tolist()]),
            "cat_from_ig_cat": _scored(label, score, predicted),
            "cat_from_bio": _scored(label, score * 0.95, predicted),
        }),
    }  # fmt: skip


def of_channels(
    world: World, channels: Channels, partner_ids: pa.Array, partner_handles: pa.Array
) -> dict[str, pa.Table]:
    """Dumps about a chunk of channels; `partner_ids` and handles are empty text where there is no Instagram profile.

    One channel in fifty stands twice in the directory, as the delivered dump has it.
    """
    random = draws.stream(world.seed, "directory of channels", int(channels.number[0]))
    rows = len(channels)
    listed = np.flatnonzero((random.random(rows) < 0.8) | (channels.partner >= 0))
    listed = np.concatenate([listed, listed[::50]])
    old = np.flatnonzero(random.random(rows) < OLD_SHARE)
    take = pa.array(listed)
    return {
        "vidooly.social_profiles_new_20230217": _directory(
            random,
            instagram_userid=partner_ids.take(take),
            instagram_username=partner_handles.take(take),
            youtube_userid=channels.channel_id.take(take),
            country=channels.country[listed],
            category=channels.category[listed],
            language=channels.language[listed],
            youtube_category=draws.texts(channels.youtube_category[listed]),
        ),
        "vidooly.channels_monthly_stats_20230219": _monthly_stats(world, channels, old, (2022, 1), 13, as_text=True),
        "vidooly.channels_monthly_stats_20230709": _monthly_stats(world, channels, old, (2022, 9), 10, as_text=False),
        "vidooly.youtube_channels": _snapshots(world, channels, old),
        "vidooly.youtube_channels_india": pa.table({
            "id": channels.channel_id.filter(pa.array(channels.country == 0)),
        }),
    }  # fmt: skip


def _linked(world: World, profile_numbers: np.ndarray) -> np.ndarray:
    # Profiles that may belong to a channel (see channels.chunk) are listed with the channel, not alone.
    return (profile_numbers >= 33) & (profile_numbers % 2 == 1) & (profile_numbers < 2 * world.size.channels + 33)


def _directory(random: np.random.Generator, **columns: object) -> pa.Table:
    category, language, country = columns.pop("category"), columns.pop("language"), columns.pop("country")
    rows = len(category)
    spelled = [*LANGUAGES, "en-US", "hi-IN"]
    regional = (language < 2) & (random.random(rows) < 0.3)  # hi and en, which stand first
    spelling = np.where(regional, len(LANGUAGES) + 1 - language, language)
    demographics = {}
    if pa.compute.any(pa.compute.not_equal(columns["youtube_userid"], "")).as_py():
        for gender, shares in _PRIOR.items():
            values = 100 * np.array(shares) * random.uniform(0.7, 1.3, (rows, 1))
            for age, share in zip(_AGES, values.T, strict=True):
                demographics[f"youtube_demographic_{gender}_{age}"] = pa.array(share.round(3))
            demographics[f"youtube_demographic_{gender}_all"] = pa.array(values.sum(axis=1).round(3))
    return pa.table({
        **columns,
        "country": draws.with_nulls(draws.picked(COUNTRIES, country), random.random(rows) < 0.02),
        "ccatid": draws.with_nulls(draws.texts(np.maximum(category, 0) + 1), category < 0),
        "language": draws.picked(spelled, spelling),
        **demographics,
    })  # fmt: skip


def _page_stats(world: World, profiles: Profiles, old: np.ndarray) -> pa.Table:
    """Followers before each month of 2022-01 to 2023-06 and their change in it, as text."""
    months = [(2022 + month // 12, month % 12 + 1) for month in range(18)]
    account = np.tile(old, len(months))
    days = np.array([_days_before(world, 2022 + month // 12, month % 12 + 1) for month in range(len(months) + 1)])
    before = profiles.growth.at(account, np.repeat(days[:-1], len(old)))
    after = profiles.growth.at(account, np.repeat(days[1:], len(old)))
    return pa.table({
        "page_id": profiles.profile_id.take(pa.array(account)),
        "month": pa.array(np.repeat([f"{year}{month:02d}" for year, month in months], len(old)).tolist(), pa.string()),
        "prev_followers": draws.texts(before),
        "followers": draws.texts(after - before),
    })  # fmt: skip


def _old_posts(world: World, random: np.random.Generator, profiles: Profiles, old: np.ndarray) -> pa.Table:
    account = np.repeat(old[profiles.scraped[old]], 4)
    rows = len(account)
    position = np.arange(rows) % 4
    kind = random.integers(0, 3, rows)
    followers = profiles.growth.at(account, np.full(rows, _days_before(world, 2022, 9)))
    likes = (followers * np.clip(0.03 * np.exp(random.normal(0, 0.5, rows)), 0.001, 0.25)).astype(np.int64)
    plays = (followers * np.clip(0.35 * np.exp(random.normal(0, 0.8, rows)), 0.05, 20)).astype(np.int64)
    published = 1_641_000_000 + random.integers(0, 480 * DAY, rows)
    number = profiles.number[account] * 4 + position
    return pa.table({
        "profile_id": profiles.profile_id.take(pa.array(account)),
        "handle": profiles.handle.take(pa.array(account)),
        "shortcode": draws.codes(number, draws.salt(world.seed, "old posts")),
        "post_type": draws.picked(POST_TYPES[:3], kind),
        "likes": pa.array(likes),
        "comments": pa.array((likes * random.uniform(0.005, 0.04, rows)).astype(np.int64)),
        "views": pa.array(np.zeros(rows, dtype=np.int64)),
        "plays": pa.array(np.where(kind == 0, plays, 0)),
        "publish_time": pa.array(published).cast(pa.timestamp("s")),
    })  # fmt: skip


def _monthly_stats(
    world: World, channels: Channels, old: np.ndarray, first: tuple[int, int], months: int, *, as_text: bool
) -> pa.Table:
    year, month = first
    span = [(year + (month - 1 + step) // 12, (month - 1 + step) % 12 + 1) for step in range(months)]
    account = np.tile(old, months)
    days = np.repeat([_days_before(world, *moment) for moment in span], len(old))
    counters = {
        "lifetime_views": channels.views.at(account, days),
        "lifetime_subscribers": channels.subscribers.at(account, days),
        "lifetime_uploads": channels.uploads.at(account, days),
    }
    return pa.table({
        "id": channels.channel_id.take(pa.array(account)),
        "month": pa.array(np.repeat([f"{y}-{m:02d}-01" for y, m in span], len(old)).tolist(), pa.string()),
        **{name: draws.texts(values) if as_text else pa.array(values) for name, values in counters.items()},
    })  # fmt: skip


def _snapshots(world: World, channels: Channels, old: np.ndarray) -> pa.Table:
    """Fortnightly snapshots of Indian channels from February to July 2023, all counters as text."""
    indian = old[channels.country[old] == 0]
    days = [np.datetime64("2023-02-05") + 14 * step for step in range(12)]
    stamps = [str(day).replace("-", "") for day in days]
    account = np.tile(indian, len(days))
    as_of = np.datetime64(world.as_of.replace(tzinfo=None), "D")
    before = np.repeat([(as_of - day).astype(int) for day in days], len(indian))
    stamp = np.repeat(stamps, len(indian)).tolist()
    updated = np.repeat([f"{day}T01:00:00.000Z" for day in days], len(indian)).tolist()
    return pa.table({
        "_path": pa.array([f"dumps/youtube_channels_data_{text}.json" for text in stamp]),
        "_file": pa.array([f"youtube_channels_data_{text}.json" for text in stamp]),
        "id": channels.channel_id.take(pa.array(account)),
        "country": pa.array(["IN"] * len(account)),
        "custom_url": channels.custom_url.take(pa.array(account)),
        "description": channels.description.take(pa.array(account)),
        "title": channels.title.take(pa.array(account)),
        "published_at": pa.array([""] * len(account)),
        "thumbnail": channels.thumbnail.take(pa.array(account)),
        "last_updated_at": pa.array(updated, pa.string()),
        "video_count": draws.texts(channels.uploads.at(account, before)),
        "view_count": draws.texts(channels.views.at(account, before)),
        "subscriber_count": draws.texts(channels.subscribers.at(account, before)),
        "hidden_subscriber": pa.array(channels.hidden[account].astype(np.uint8)),
    })  # fmt: skip


def _scored(label: list[str | None], score: np.ndarray, rows: np.ndarray) -> pa.Array:
    kind = pa.list_(pa.struct([("1", pa.string()), ("2", pa.float64())]))
    values = [[{"1": label[row] or "Miscellaneous", "2": float(score[row])}] for row in rows.tolist()]
    return pa.array(values, kind)


def _days_before(world: World, year: int, month: int) -> int:
    first = np.datetime64(f"{year}-{month:02d}-01", "D")
    return int((np.datetime64(world.as_of.replace(tzinfo=None), "D") - first).astype(int))
