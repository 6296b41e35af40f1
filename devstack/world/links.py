"""Short links: which collection items carry them, who clicked, and what was ordered through them.

Links stand with their scheme in items and without it in the tracker's tables. Some hold `=`, `&` and escapes, some end
in a slash, several items share one, some were never clicked, and some clicks are of links that no item has.
"""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from devstack.world import draws
from devstack.world.posts import DAY
from devstack.world.size import World

ITEMS_PER_LINK = 6
_SHAPES = [
    "https://gcc.li/{}",
    "https://gcc.li/{}?x=1&y=2",
    "https://gcc.li/{}/",
    "https://gcc.li/{}?utm_campaign=a%20b",
]
_UNCLICKED = 7  # every seventh link
_FOREIGN = 5  # links of other campaigns
WITH_LINK, EMPTY_LIST, WITHOUT = range(3)


def count(world: World) -> int:
    return max(world.size.collection_items // ITEMS_PER_LINK, 12)


def of(world: World) -> list[str]:
    """All short links of the items, by number."""
    codes = draws.codes(np.arange(count(world)), draws.salt(world.seed, "short links")).to_pylist()
    return [_SHAPES[number % len(_SHAPES)].format(code[:6]) for number, code in enumerate(codes)]


def sponsor_links(world: World, items: np.ndarray, kind: np.ndarray) -> pa.Array:
    """JSON arrays of links by item number: the tracked link and the shop's own, an empty list, or NULL."""
    known = of(world)
    texts = []
    for item, what in zip(items.tolist(), kind.tolist(), strict=True):
        if what == WITH_LINK:
            found = [known[item % len(known)], "https://shop.example/?ref=1&b=2"][: 1 + (item % 5 > 0)]
            texts.append(orjson.dumps([""] if item % 29 == 28 else found).decode())
        else:
            texts.append("[]" if what == EMPTY_LIST else None)
    return pa.array(texts, pa.string())


def tables(world: World, items: pa.Table) -> dict[str, pa.Table]:
    """Clicks and orders by link, and clicks that people wrote down by post."""
    random = draws.stream(world.seed, "link clicks")
    bare = [link.removeprefix("https://") for link in of(world)]
    foreign = [f"gcc.li/zz{number}" for number in range(_FOREIGN)]
    clicked = [link for number, link in enumerate(bare) if number % _UNCLICKED] + foreign
    return {
        "campaign_replica.link_clicks": _clicks(world, random, clicked),
        "campaign_replica.link_clicks_orders": _orders(random, [link for link in clicked if hash_of(link) % 3]),
        "ds.campaign_post_links_clicks": _written_down(random, items),
    }  # fmt: skip


def hash_of(text: str) -> int:
    """A number that follows from the text alone."""
    return int(draws.salt(0, text))


def _clicks(world: World, random: np.random.Generator, clicked: list[str]) -> pa.Table:
    today = world.as_of_epoch // DAY
    url, day, unique = [], [], []
    for link in clicked:
        days = np.unique(today - (random.random(12) ** 2 * 60).astype(np.int64))
        url += [link] * len(days)
        day += days.tolist()
        unique += (random.exponential(30, len(days))).astype(np.int64).tolist()
    return pa.table({
        "url": pa.array(url, pa.string()),
        "d": pa.array(np.array(day, dtype=np.int32)).cast(pa.date32()),
        "unique_clicks": pa.array(np.array(unique, dtype=np.int64)),
    })  # fmt: skip


def _orders(random: np.random.Generator, ordered: list[str]) -> pa.Table:
    rows = len(ordered)
    overall = random.poisson(6, rows)
    delivered = (overall * random.random(rows)).astype(np.int64)
    counts = {
        "overall_orders": overall,
        "delivered_orders": delivered,
        "completed_orders": (delivered * random.random(rows)).astype(np.int64),
    }
    counts |= {f"leaderboard_{name}": (values * 0.8).astype(np.int64) for name, values in counts.items()}
    return pa.table({
        "link": pa.array(ordered, pa.string()),
        **{name: pa.array(values.astype(np.int64)) for name, values in counts.items()},
    })  # fmt: skip


def _written_down(random: np.random.Generator, items: pa.Table) -> pa.Table:
    """Lines of a hand-kept list: stories first, some of them twice with another count, one without a handle."""
    known = items.filter(pa.compute.is_valid(items["short_code"]))
    stories = known.filter(pa.compute.equal(known["post_type"], "story"))
    others = known.filter(pa.compute.not_equal(known["post_type"], "story"))
    chosen = pa.concat_tables([stories.slice(0, 200), others.slice(0, max(others.num_rows // 12, 3))])
    chosen = pa.concat_tables([chosen, chosen.slice(0, 3)])
    rows = np.arange(chosen.num_rows)
    return pa.table({
        "handle": draws.with_nulls(chosen["posted_by_handle"].combine_chunks(), rows % 23 == 11),
        "short_code": chosen["short_code"],
        "post_link": chosen["post_link"],
        "Clicks": pa.array(random.poisson(90, len(rows)), mask=rows % 19 == 7),
        "post_collection_id": draws.with_nulls(chosen["post_collection_id"].combine_chunks(), rows % 31 == 30),
    })  # fmt: skip
