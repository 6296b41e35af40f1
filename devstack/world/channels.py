"""YouTube channels and their videos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from devstack.world import draws, growth, special
from devstack.world.posts import DAY
from devstack.world.profiles import moments
from devstack.world.size import CHANNEL_CHUNK, World
from devstack.world.vocabulary import (
    BIOGRAPHIES,
    CATEGORIES,
    CATEGORY_WEIGHTS,
    COMMON_YOUTUBE_CATEGORIES,
    COUNTRIES,
    COUNTRY_WEIGHTS,
    FIRST_NAMES,
    LANGUAGE_WEIGHTS,
    LANGUAGES,
    SECOND_WORDS,
    VIDEO_TITLES,
    rendered,
)

VIDEOS_PER_CHANNEL = 20
VIDEO, SHORT, UNRESOLVED = range(3)
_TITLE_POOL = rendered(VIDEO_TITLES, 60)
_DESCRIPTION_POOL = rendered(BIOGRAPHIES, 60)


@dataclass(frozen=True)
class Channels:
    """One chunk of channels; `number` is the position in the whole world."""

    number: np.ndarray
    channel_id: pa.Array
    title: pa.Array
    description: pa.Array
    custom_url: pa.Array
    thumbnail: pa.Array
    subscribers: growth.Growth
    views: growth.Growth  # lifetime
    uploads: growth.Growth  # lifetime
    category: np.ndarray  # index into CATEGORIES
    youtube_category: np.ndarray  # id
    language: np.ndarray
    country: np.ndarray
    created: np.ndarray  # epoch seconds
    hidden: np.ndarray
    tracked: np.ndarray
    scraped: np.ndarray
    connected: np.ndarray
    updated_at: np.ndarray
    partner: np.ndarray  # number of the Instagram profile of the same creator, -1 without

    def __len__(self) -> int:
        return len(self.number)

    def country_text(self) -> pa.Array:
        """ISO-2, the word India from one provider, or NULL."""
        codes = [*COUNTRIES, "India", None]
        spelled = np.where((self.country == 0) & (self.number % 10 == 1), len(COUNTRIES), self.country)
        return draws.picked(codes, np.where(self.number % 23 == 7, len(COUNTRIES) + 1, spelled))


def chunks(world: World) -> range:
    """First positions of the chunks of channels."""
    return range(0, world.size.channels, CHANNEL_CHUNK)


def chunk(world: World, start: int) -> Channels:
    """The channels from `start` on, at most CHANNEL_CHUNK of them."""
    number = np.arange(start, min(start + CHANNEL_CHUNK, world.size.channels))
    rows = len(number)
    random = draws.stream(world.seed, "channels", start)
    first = start == 0
    subscribers = np.clip(np.exp(random.normal(np.log(15_000), 2.0, rows)), 10, 250_000_000).astype(np.int64)
    hidden = random.random(rows) < 0.03
    views = subscribers * random.uniform(20, 400, rows)
    uploads = np.clip(np.exp(random.normal(np.log(180), 1.3, rows)), 1, 100_000)
    category = draws.weighted(random, CATEGORY_WEIGHTS, rows)
    language = draws.weighted(random, LANGUAGE_WEIGHTS, rows)
    country = draws.weighted(random, COUNTRY_WEIGHTS, rows)
    tracked, scraped = random.random(rows) < world.size.tracked_share, np.ones(rows, dtype=bool)
    partner = np.where((random.random(rows) < 0.45) & (number < world.size.profiles // 2), number * 2 + 33, -1)
    partner = np.where(partner < world.size.profiles, partner, -1)
    if first:
        subscribers[special.TIED_CHANNELS], views[special.TIED_CHANNELS] = 30_000_000, 9_000_000_000
        category[special.TIED_CHANNELS], language[special.TIED_CHANNELS] = CATEGORIES.index("Music"), 0
        hidden[: special.CHANNELS_NEVER_SCRAPED.stop] = False
        hidden[special.HIDDEN_SUBSCRIBERS] = True
        country[: special.CHANNELS_NEVER_SCRAPED.stop] = COUNTRIES.index("IN")
        tracked[: special.CHANNELS_NEVER_SCRAPED.stop] = True
        tracked[special.CHANNELS_NEVER_SCRAPED] = scraped[special.CHANNELS_NEVER_SCRAPED] = False
    subscribers = np.where(hidden, 0, subscribers)
    grown = [
        growth.drawn(random, subscribers),
        growth.drawn(random, views, shrinking=0.01, wave=0.0001),
        growth.drawn(random, uploads, shrinking=0.01, wave=0.0001),
    ]
    if first:
        for values in grown:
            growth.share(values, special.TIED_CHANNELS)
    title = draws.joined(
        draws.picked([name.capitalize() for name in FIRST_NAMES], random.integers(0, len(FIRST_NAMES), rows)),
        " ",
        draws.picked([word.capitalize() for word in SECOND_WORDS], random.integers(0, len(SECOND_WORDS), rows)),
        draws.picked(["", "", "", " TV", ' "Live"', " 🎬", " \\ Vlogs"], random.integers(0, 7, rows)),
    )
    channel_id = draws.channel_ids(number, draws.salt(world.seed, "channel ids"))
    age = np.where(tracked, random.uniform(0, 3, rows), random.uniform(0, 90, rows)) * DAY
    return Channels(
        number=number,
        channel_id=channel_id,
        title=title,
        description=draws.picked(_DESCRIPTION_POOL, random.integers(0, len(_DESCRIPTION_POOL), rows)),
        custom_url=draws.with_nulls(draws.joined("@creator.", draws.texts(number)), random.random(rows) < 0.03),
        thumbnail=draws.joined("https://yt3.example/", channel_id, "=s88-c-k-c0x00ffffff-no-rj"),
        subscribers=grown[0],
        views=grown[1],
        uploads=grown[2],
        category=category,
        youtube_category=random.choice(COMMON_YOUTUBE_CATEGORIES, rows),
        language=language,
        country=country,
        created=(world.as_of_epoch - random.uniform(1.2, 12, rows) * 365 * DAY).astype(np.int64),
        hidden=hidden,
        tracked=tracked,
        scraped=scraped,
        connected=((random.random(rows) < 0.03) | np.isin(number, np.array(special.CONNECTED_CHANNELS))) & scraped,
        updated_at=(world.as_of_epoch - 60 - age).astype(np.int64),
        partner=partner,
    )


def account_table(world: World, channels: Channels) -> pa.Table:
    """Rows of `beat_replica.youtube_account` for the scraped channels of a chunk."""
    random = draws.stream(world.seed, "youtube_account", int(channels.number[0]))
    rows = len(channels)
    return pa.table({
        "id": pa.array(channels.number + 1),
        "channel_id": channels.channel_id,
        "title": channels.title,
        "description": channels.description,
        "custom_url": channels.custom_url,
        "subscribers": pa.array(channels.subscribers.today.astype(np.int64)),
        "uploads": pa.array(channels.uploads.today.astype(np.int64)),
        "views": pa.array(channels.views.today.astype(np.int64), mask=random.random(rows) < 0.01),
        "country": channels.country_text(),
        "thumbnail": channels.thumbnail,
        "published_at": moments(channels.created),
        "is_subscriber_count_hidden": pa.array(channels.hidden.astype(np.uint8)),
        "uploads_playlist_id": draws.joined("UU", pa.compute.utf8_slice_codeunits(channels.channel_id, 2)),
        "created_at": moments(world.as_of_epoch - random.uniform(150, 900, rows) * DAY),
        "updated_at": moments(channels.updated_at),
        "tagged_country": draws.with_nulls(draws.picked(COUNTRIES, channels.country), random.random(rows) >= 0.2),
        "account_type": draws.picked(["CREATOR", "BRAND", None], random.choice(3, rows, p=[0.3, 0.08, 0.62])),
        "language": draws.with_nulls(draws.picked(LANGUAGES, channels.language), random.random(rows) >= 0.25),
    }).filter(pa.array(channels.scraped))  # fmt: skip


def video_table(world: World, channels: Channels) -> pa.Table:
    """Rows of `beat_replica.youtube_post_simple`: VIDEOS_PER_CHANNEL of each scraped channel."""
    random = draws.stream(world.seed, "youtube_post_simple", int(channels.number[0]))
    owner = np.repeat(np.arange(len(channels))[channels.scraped], VIDEOS_PER_CHANNEL)
    rows = len(owner)
    position = np.tile(np.arange(VIDEOS_PER_CHANNEL), int(channels.scraped.sum()))
    number = channels.number[owner] * VIDEOS_PER_CHANNEL + position
    published = (
        world.as_of_epoch - 900 - (position + random.random(rows)) * random.uniform(2, 14, len(channels))[owner] * DAY
    )
    views = (0.1 * np.maximum(channels.subscribers.today[owner], 20) * np.exp(random.normal(0, 1.0, rows))).astype(
        np.int64
    )
    likes = (views * random.uniform(0.01, 0.06, rows)).astype(np.int64)
    comments = (views * random.uniform(0.0005, 0.006, rows)).astype(np.int64)
    kind = random.choice(3, rows, p=[0.54, 0.36, 0.10])
    seconds = np.where(kind == VIDEO, random.integers(61, 10_800, rows), random.integers(15, 61, rows))
    shortcode = draws.codes(number, draws.salt(world.seed, "video ids"))
    language = np.array([*LANGUAGES, "en-IN", "en-US", "zxx"], dtype=object)
    spoken = np.where(random.random(rows) < 0.1, random.integers(0, len(language), rows), channels.language[owner])
    settled = np.minimum(
        published + random.uniform(1, 30, rows) * DAY, world.as_of_epoch - random.uniform(60, DAY, rows)
    )
    updated = np.maximum(settled, published + 600)
    return pa.table({
        "id": pa.array(number + 1),
        "shortcode": shortcode,
        "channel_id": channels.channel_id.take(pa.array(owner)),
        "title": draws.picked(_TITLE_POOL, random.integers(0, len(_TITLE_POOL), rows)),
        "description": draws.picked(_DESCRIPTION_POOL, random.integers(0, len(_DESCRIPTION_POOL), rows)),
        "views": pa.array(views),
        "likes": pa.array(likes, mask=random.random(rows) < 0.02),
        "comments": pa.array(comments, mask=random.random(rows) < 0.03),
        "favourites": pa.array(np.zeros(rows, dtype=np.int64)),
        "published_at": moments(published),
        "created_at": moments(np.minimum(published + 3_600, updated)),
        "updated_at": moments(updated),
        "thumbnail": draws.joined("https://i.ytimg.example/vi/", shortcode, "/default.jpg"),
        "duration": draws.joined("PT", draws.texts(seconds // 60), "M", draws.texts(seconds % 60), "S"),
        "channel_title": channels.title.take(pa.array(owner)),
        "category_id": draws.texts(channels.youtube_category[owner]),
        "audio_language": draws.picked([*language, None], np.where(random.random(rows) < 0.3, len(language), spoken)),
        "post_type": draws.picked(["video", "short", None], kind),
    })  # fmt: skip
