"""Hand-kept lists and small jobs: a survey of creators, whose stories are always read, keyword research, and groups."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import orjson
import pyarrow as pa

from devstack.world import draws
from devstack.world.core import Core
from devstack.world.posts import DAY
from devstack.world.profiles import moments
from devstack.world.size import World
from devstack.world.vocabulary import CITIES, SECOND_WORDS, TAGS

MOST_ANSWERS = 2_000
_ANSWERS = {
    "State": ["Maharashtra", "Delhi", "Karnataka", None],
    "Tier": ["Tier 1", "Tier 2", "Tier 3"],
    "Brands Interested": ["Glow & Go, Spice Box", 'The "Best" Brand', "", None],
    "Brands Purchased From": ["Spice Box", "C:\\shop", None],
    "Categories Interested": ["Beauty, Fashion & Style", "Food & Drinks", None],
    "Concerns": ["Acne; dark spots", "None", ""],
    "Ingredients Interested": ["Vitamin C", "नीम", None],
    "Price preference": ["Below ₹500", "₹500-₹1,000", None],
    "Discount preference": ["Flat 20%", "BOGO"],
    "Preferred channel": ["WhatsApp", "Email", None],
    "Preferred day": ["Saturday", "Sunday", "any\nday"],
    "Preferred hour": ["18-21", "9-12", None],
    "Persona": ["Explorer", "Bargain hunter", "Loyalist"],
}


def tables(world: World, core: Core, accounts: pa.Table) -> dict[str, pa.Table]:
    """All of them; the survey was answered by some of the app users in `accounts` (identity_replica.social_account)."""
    random = draws.stream(world.seed, "surveys")
    return _survey(random, core, accounts) | _lists(core) | _jobs(world, random)


def _survey(random: np.random.Generator, core: Core, accounts: pa.Table) -> dict[str, pa.Table]:
    """Two in five users answered; one twice, one in capitals, one without saying who it is."""
    users = [row for row in accounts["handle"].to_pylist() if row][:MOST_ANSWERS]
    handles: list[str | None] = [handle for place, handle in enumerate(users) if place % 5 < 2]
    handles += [handles[0], str(handles[1]).upper(), None, "nobody.knows.this"]
    rows = len(handles)
    known = core.profiles.handle.to_pylist()

    def some(pool: list[str], most: int) -> pa.Array:
        counts = random.integers(0, most + 1, rows)
        return pa.array([
            [pool[int(place)] for place in random.integers(0, len(pool), count)] for count in counts.tolist()
        ], pa.list_(pa.string()))  # fmt: skip

    answers = {f"g3.{name}": draws.picked(pool, random.integers(0, len(pool), rows)) for name, pool in _ANSWERS.items()}
    scanned = np.arange(0, min(len(core.profiles), 500), 7)
    followed = [[] if place % 2 else [known[(place + step) % len(known)] for step in (1, 2, 3)] for place in scanned]
    return {
        "ds.trinity_phase_two": pa.table({
            "handle": pa.array(handles, pa.string()),
            "g3.Name": pa.array([None if handle is None else handle.title() for handle in handles], pa.string()),
            "g3.City": draws.picked([*CITIES, None], random.integers(0, len(CITIES) + 1, rows)),
            **answers,
            "g3.Insta Handle": pa.array([None if handle is None else f"@{handle}" for handle in handles], pa.string()),
            "profiles_i_follow": some(known, 6),
            "my_top_influencers": some(known, 3),
            "my_top_brands": some(["Glow & Go", 'The "Best"', "Spice\\Box"], 2),
            "brand_mentions": some(SECOND_WORDS, 4),
            "time_slots": some(["9-12", "18-21", "21-24"], 2),
            "age": draws.picked(["18-24", "27", "", None], random.integers(0, 4, rows)),
        }),
        "ds.trinity_graph": pa.table({
            "profile_id": core.profiles.profile_id.take(pa.array(scanned)),
            "following": pa.array(core.profiles.following[scanned], mask=scanned % 3 == 2),
            "profiles_i_follow": pa.array(followed, pa.list_(pa.string())),
        }),
    }  # fmt: skip


def _lists(core: Core) -> dict[str, pa.Table]:
    chosen = pa.array(np.flatnonzero(core.profiles.tracked & core.profiles.scraped)[::9][:50])
    return {
        "ds.explicitly_instagram_stories": pa.table({
            "profile_id": core.profiles.profile_id.take(chosen),
            "handle": core.profiles.handle.take(chosen),
        }),
    }  # fmt: skip


def _jobs(world: World, random: np.random.Generator) -> dict[str, pa.Table]:
    """Keyword research without and with a report, some just asked for, some switched off; groups and usage rows."""
    rows = max(12, world.size.post_collections // 2)
    created = world.as_of_epoch - random.uniform(0.02, 40, rows) * DAY
    number = np.arange(rows)
    words = [TAGS[place % len(TAGS) :][: place % 4] + ['say "cheese"', None][: place % 3] for place in range(rows)]
    report = draws.joined("reports/keywords/", draws.texts(number), ".csv")
    return {
        "coffee_replica.keyword_collection": pa.table({
            "id": draws.event_ids(number, draws.salt(world.seed, "keyword collections")),
            "platform": draws.picked(["YOUTUBE", "INSTAGRAM"], (number % 5 == 4).astype(np.int64)),
            "keywords": pa.array(words, pa.list_(pa.string())),
            "start_time": moments(created - 30 * DAY),
            "end_time": moments(created - DAY),
            "report_path": draws.with_nulls(report, number % 3 < 2),
            "enabled": pa.array((number % 7 != 6).astype(np.uint8)),
            "created_at": moments(created),
        }),
        "coffee_replica.collection_group": pa.table({"id": pa.array(np.arange(max(rows // 2, 5)) + 1)}),
        "coffee_replica.activity_tracker": pa.table({"id": pa.array(np.arange(rows * 10) + 1)}),
    }  # fmt: skip


def old_logs(world: World, old_posts: pa.Table) -> dict[str, pa.Table]:
    """The log tables from before the events: no longer written, their JSON columns are arrays of key and value.

    `old_posts` are rows of `vidooly.instagram_posts_historical_cleaned_v2`, whose owners and codes stand here too.
    """
    posts = old_posts.slice(0, 200)
    rows = np.arange(posts.num_rows)
    moment = moments(world.as_of_epoch - 500 * DAY + rows * 3_600)
    handles, shortcodes = posts["handle"].to_pylist(), posts["shortcode"].to_pylist()
    likes, comments = posts["likes"].to_pylist(), posts["comments"].to_pylist()
    constant = {"platform": pa.array(["INSTAGRAM"] * len(rows)), "source": pa.array(["lama"] * len(rows))}
    return {
        "beat_replica.profile_log": pa.table({
            "id": pa.array(rows + 1),
            "profile_id": posts["profile_id"],
            "dimensions": _all_pairs({"handle": handle, "bio": 'Says "hi"'} for handle in handles),
            "metrics": _all_pairs({"followers": 1_000 + row, "following": 10} for row in rows.tolist()),
            "timestamp": moment,
            **constant,
        }),
        "beat_replica.post_log": pa.table({
            "id": pa.array(rows + 1),
            "profile_id": posts["profile_id"],
            "platform_post_id": posts["shortcode"],
            "metrics": _all_pairs({"likes": one, "comments": two} for one, two in zip(likes, comments, strict=True)),
            "dimensions": _all_pairs({"shortcode": code, "caption": None} for code in shortcodes),
            "timestamp": moment,
            **constant,
        }),
    }  # fmt: skip


def _all_pairs(rows: Iterable[dict[str, object]]) -> pa.Array:
    texts = (orjson.dumps([{"key": key, "value": value} for key, value in row.items()]).decode() for row in rows)
    return pa.array(list(texts), pa.string())
