"""Scrape requests of the last seven months with their outcomes, and the log events of the young ones.

The mix of outcomes is that of spec/scrape_flows.md 3.6. Two special states stand here: handles with more than three
FAILED requests and none COMPLETE, and handles whose request is PROCESSING right now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.beat.log_entries import SHOPIFY
from devstack.world import draws, special
from devstack.world.channels import Channels
from devstack.world.posts import DAY, STORY, Posts
from devstack.world.profiles import Profiles, moments
from devstack.world.size import World

HISTORY_DAYS = 210
EVENT_DAYS = 30  # older requests are rows only
PROFILE_FLOW = "refresh_profile_by_handle"
ORDER_FLOW = "refresh_orders_by_store"
FLOWS = {
    PROFILE_FLOW: 0.55,
    "refresh_post_by_shortcode": 0.25,
    "refresh_yt_profiles": 0.12,
    "refresh_yt_posts_by_channel_id": 0.08,
}
OUTCOMES: dict[str | None, float] = {
    None: 0.88,  # COMPLETE
    "(404, 'Something went wrong')": 0.04,
    "(429, 'Too many requests')": 0.03,
    "'NoneType' object is not subscriptable": 0.02,
    "(403, 'Forbidden exception')": 0.01,
    "No source is available at the moment": 0.01,
    "(200, 'API Failure')": 0.01,
}
PENDING, PROCESSING, COMPLETE, FAILED = "PENDING", "PROCESSING", "COMPLETE", "FAILED"
_STEPS = (PENDING, PROCESSING, None)  # None: the status that the request has now
_SLICE = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMPLETE_TEXT = "None"  # what every flow but the csv ones returns


def table(world: World, profiles: Profiles, posts: Posts, channels: Channels) -> pa.Table:
    """Rows of `beat_replica.recent_scrape_request_log`, oldest first; ids are their positions from 1.

    They are of the four commonest flows; module `other_flows` has the rest.
    """
    random = draws.stream(world.seed, "scrape requests")
    rows = world.size.scrape_requests
    flows = list(FLOWS)
    flow = [flows[index] for index in draws.weighted(random, FLOWS, rows)]
    created = np.sort(world.as_of_epoch - 120 - HISTORY_DAYS * DAY * random.random(rows) ** 2)
    outcome = draws.weighted(random, {str(text): share for text, share in OUTCOMES.items()}, rows)
    texts = list(OUTCOMES)
    params = _Params(random, profiles, posts, channels)
    records = [
        record(name, params.of(name), moment, COMPLETE if texts[index] is None else FAILED, texts[index])
        for name, moment, index in zip(flow, created.tolist(), outcome.tolist(), strict=True)
    ]
    handles = profiles.handle.to_pylist()
    for account in special.FAILING:
        for turn in range(5):
            moment = world.as_of_epoch - DAY * (3 + 4 * turn)
            records.append(
                record(PROFILE_FLOW, {"handle": handles[account]}, moment, FAILED, "(404, 'Profile not found')")
            )
    for account in special.IN_PROGRESS:
        records.append(record(PROFILE_FLOW, {"handle": handles[account]}, world.as_of_epoch - 40, PROCESSING, None))
    records.sort(key=lambda record: record["created_at"])
    seconds = random.uniform(1, 20, len(records))
    return arrow(records, seconds)


@dataclass(frozen=True)
class Transitions:
    """Changes of status of the requests of the last EVENT_DAYS days, in the order in which they happened."""

    world: World
    requests: pa.Table  # the young ones
    row: np.ndarray  # position of the request
    step: np.ndarray  # index into _STEPS
    moment: np.ndarray  # epoch microseconds

    def __len__(self) -> int:
        return len(self.row)

    def messages(self) -> Iterator[events.Message]:
        """scrape_request_log messages; made slice by slice, as a large world has many."""
        salt = draws.salt(self.world.seed, self.world.as_of_epoch, "scrape_request_log")
        for start in range(0, len(self), _SLICE):
            part = slice(start, start + _SLICE)
            rows = self.requests.take(pa.array(self.row[part])).to_pylist()
            number = np.array([row["id"] for row in rows], dtype=np.int64) * 4 + self.step[part]
            event_id = draws.event_ids(number, salt).to_pylist()
            columns = (event_id, rows, self.step[part].tolist(), self.moment[part].tolist())
            for identity, row, step, microseconds in zip(*columns, strict=True):
                moment = _EPOCH + timedelta(microseconds=microseconds)
                yield events.scrape_request_log(
                    event_id=identity,
                    scrape_id=row["id"],
                    flow=row["flow"],
                    platform=row["platform"],
                    params=orjson.Fragment(row["params"].encode()),
                    status=_STEPS[step] or row["status"],
                    moment=moment,
                    picked_at=moment,
                )


def transitions(world: World, requests: pa.Table) -> Transitions:
    """PENDING when it was made, PROCESSING halfway to its end or at once, and its last status."""
    first = world.as_of_epoch - EVENT_DAYS * DAY
    young = requests.filter(pa.compute.greater_equal(requests["created_at"].cast(pa.int64()), first * 1_000_000))
    created = young["created_at"].cast(pa.int64()).to_numpy()
    finished = pa.compute.fill_null(young["scraped_at"].cast(pa.int64()), 0).to_numpy()
    has_ended = finished > 0
    taken = pa.compute.not_equal(young["status"], PENDING).to_numpy()
    halfway = created + np.where(has_ended, np.rint((finished - created) / 2).astype(np.int64), 0)
    kept = np.stack([np.ones(len(created), dtype=bool), taken, has_ended])
    step, row = np.nonzero(kept)
    moment = np.stack([created, halfway, finished])[step, row]
    order = np.lexsort((step, young["id"].to_numpy()[row], moment))
    return Transitions(world, young, row[order], step[order], moment[order])


class _Params:
    """Parameters of one request by flow, drawn from the accounts and posts of the world."""

    def __init__(self, random: np.random.Generator, profiles: Profiles, posts: Posts, channels: Channels) -> None:
        # Handles in a special state get exactly the requests that make the state; young posts stay unrequested, so
        # that the refresh of collection posts finds work.
        self.random = random
        self.handles = profiles.handle.to_pylist()[special.HIGHEST :]
        settled = np.flatnonzero((posts.kind != STORY) & (posts.published < posts.published.max() - 20 * DAY))
        self.shortcodes = posts.shortcode.take(pa.array(settled[:20_000])).to_pylist()
        self.channel_ids = channels.channel_id.to_pylist()

    def of(self, flow: str) -> dict[str, object]:
        if flow == PROFILE_FLOW:
            return {"handle": self._one(self.handles)}
        if flow == "refresh_post_by_shortcode":
            return {"shortcode": self._one(self.shortcodes)}
        if flow == "refresh_yt_profiles":
            return {"channel_ids": [self._one(self.channel_ids) for _ in range(5)]}
        return {"channel_id": self._one(self.channel_ids)}

    def _one(self, values: list[str]) -> str:
        return values[int(self.random.random() * len(values))]


def record(flow: str, params: dict[str, object], created: float, status: str, text: str | None) -> dict[str, object]:
    """One request as `arrow` takes it; `text` is that of the failure, if any."""
    platform = events.YOUTUBE if "_yt_" in flow or flow.endswith("_csv") else events.INSTAGRAM
    return {
        "platform": SHOPIFY if flow == ORDER_FLOW else platform,
        "flow": flow,
        "params": orjson.dumps(params).decode(),
        "created_at": created,
        "status": status,
        "data": COMPLETE_TEXT if status == COMPLETE else text,
    }


def arrow(records: list[dict[str, object]], seconds: np.ndarray, first_id: int = 1) -> pa.Table:
    """Rows of the queue from `first_id` on; `seconds` is how long each request ran."""
    created = np.array([record["created_at"] for record in records])
    open_requests = np.array([record["status"] in (PENDING, PROCESSING) for record in records])
    text = {name: [record[name] for record in records] for name in ("platform", "flow", "params", "status", "data")}
    return pa.table({
        "id": pa.array(np.arange(len(records)) + first_id),
        **{name: pa.array(values, pa.string()) for name, values in text.items()},
        "priority": pa.array(np.ones(len(records), dtype=np.int32)),
        "created_at": moments(created),
        "scraped_at": draws.with_nulls(moments(created + seconds), open_requests),
        "expires_at": moments(created + 3_600),
        "retry_count": pa.array(np.ones(len(records), dtype=np.int32)),
    })  # fmt: skip
