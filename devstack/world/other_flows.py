"""Scrape requests of the less common flows, and requests that ended in ways the common ones do not.

They are some days old, so that none of them keeps a DAG from asking for the same thing again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from devstack.beat.assets import asset_hash
from devstack.world import belongings, draws, requests, special
from devstack.world.core import Core
from devstack.world.posts import DAY, STORY
from devstack.world.requests import COMPLETE, FAILED, HISTORY_DAYS, PENDING, PROCESSING, PROFILE_FLOW

YOUNGEST_DAYS = 4
TURNS = 4  # requests of each flow in the smallest world
OUTCOMES: list[str | None] = [
    None, None, None, None, None, None, "(204, 'No content')", "(409, 'Conflict')", "(403, 'Quota exceeded')",
    "(401, 'Data access expired')", "(404, 'Something went wrong')", "No cred is available at the moment",
]  # fmt: skip
_GPT = [
    "base_gender", "base_location", "base_categ_lang_topics", "audience_age_gender", "audience_cities",
    "gender_location_lang",
]  # fmt: skip
_CSV = {
    "fetch_channels_csv": "channels_csv",
    "fetch_channel_audience_geography_csv": "channel_audience_geography_csv",
    "fetch_channel_demographic_csv": "channel_demographic_csv",
}

Params = Callable[[int], dict[str, object]]


def table(core: Core, first_id: int) -> pa.Table:
    """Rows of `beat_replica.recent_scrape_request_log` with ids from `first_id` on, oldest first."""
    world = core.world
    random = draws.stream(world.seed, "requests of other flows")
    turns = max(TURNS, world.size.scrape_requests // 400)
    records = []
    for flow, params in _flows(core).items():
        days = YOUNGEST_DAYS + (HISTORY_DAYS - YOUNGEST_DAYS) * random.random(turns) ** 2
        outcomes = random.integers(0, len(OUTCOMES), turns)
        for turn, (age, outcome) in enumerate(zip(days.tolist(), outcomes.tolist(), strict=True)):
            text = OUTCOMES[outcome]
            status = FAILED if text else COMPLETE
            if flow in _UNFINISHED:
                status, text = _UNFINISHED[flow], None
                age = max(age, _FORGOTTEN_DAYS)
            row = requests.record(flow, params(turn), world.as_of_epoch - age * DAY, status, text)
            if flow in _CSV and status == COMPLETE:
                row["data"] = str({_CSV[flow]: f"csv/{flow}/{turn}.csv"})
            records.append(row)
    records.sort(key=lambda row: row["created_at"])
    return requests.arrow(records, random.uniform(1, 60, len(records)), first_id)


# A flow whose name no process knows waits for ever; a worker died over the relationships of one channel.
_UNFINISHED = {"refresh_no_such_thing": PENDING, "refresh_yt_posts_by_genre": PROCESSING}
_FORGOTTEN_DAYS = 8
"""They are older than what is looked for to be taken up again: the scraper of this world never heard of them."""


def _flows(core: Core) -> dict[str, Params]:
    """Parameters of the n-th request by flow."""
    handles, ids = core.profiles.handle.to_pylist(), core.profiles.profile_id.to_pylist()
    channels, videos = core.channels.channel_id.to_pylist(), core.videos["shortcode"].to_pylist()
    settled = np.flatnonzero((core.posts.kind != STORY) & (core.posts.published < core.world.as_of_epoch - 40 * DAY))
    codes = core.posts.shortcode.take(pa.array(settled[:5_000])).to_pylist()
    stories = core.posts.shortcode.take(pa.array(np.flatnonzero(core.posts.kind == STORY)[:500])).to_pylist()
    stores = belongings.shops(core.world)["handle"].to_pylist()
    start = special.CONNECTED.start

    def someone(turn: int) -> dict[str, object]:
        return {"handle": handles[(start + turn) % len(handles)]}

    def somebody(turn: int) -> dict[str, object]:
        return {"profile_id": ids[(start + turn) % len(ids)]}

    def channel(turn: int) -> dict[str, object]:
        return {"channel_id": channels[(8 + turn) % len(channels)]}

    def post(turn: int) -> dict[str, object]:
        return {"shortcode": codes[turn % len(codes)]}

    def video(turn: int) -> dict[str, object]:
        return {"shortcode": videos[turn % len(videos)]}

    def asked(turn: int) -> dict[str, object]:
        return {"data": someone(turn) | {"name": "N", "bio": 'Says "hi"'}}

    def asset(turn: int) -> dict[str, object]:
        url = f"https://scontent.cdninstagram.example/v/t51/{turn}.jpg"
        named = {"entity_type": "POST", "entity_id": codes[turn % len(codes)], "asset_type": "IMAGE"}
        return named | {"original_url": url, "platform": "INSTAGRAM", "hash": asset_hash(url)}

    flows: dict[str, Params] = {
        PROFILE_FLOW: someone,
        "refresh_profile_by_profile_id": somebody,
        "refresh_profile_basic": lambda turn: someone(turn) | {"profile_id": None},
        "refresh_profile_custom": lambda turn: someone(turn) | somebody(turn) | {"max_posts": 100},
        "refresh_profile_insights": someone,
        "refresh_stories_posts": someone,
        "refresh_story_posts_by_profile_id": lambda turn: someone(turn) | somebody(turn) | {"profile_er": 2.5},
        "refresh_story_insights": lambda turn: someone(turn)
        | somebody(turn)
        | {"story_id": stories[turn % len(stories)], "shortcode": stories[turn % len(stories)]},
        "refresh_post_insights": lambda turn: someone(turn) | post(turn) | {"post_id": str(turn), "post_type": "reels"},
        "refresh_tagged_posts_by_profile_id": lambda turn: somebody(turn) | {"max_posts": 50},
        "fetch_profile_followers": somebody,
        "fetch_profile_following": somebody,
        "fetch_post_comments": lambda turn: post(turn) | {"max_comments": 1000},
        "fetch_post_likes": post,
        "fetch_hashtag_posts": lambda turn: {"hashtag": "diwali", "max_posts": 2000},
        "refresh_yt_profiles": lambda turn: {"channel_ids": channels[turn : turn + 3]},
        "refresh_yt_posts": lambda turn: {"post_ids": videos[turn : turn + 40]},
        "refresh_yt_posts_by_channel_id": channel,
        "refresh_yt_posts_by_playlist_id": lambda turn: channel(turn) | {"max_posts": 50},
        "refresh_yt_posts_by_search": lambda turn: {
            "job_id": f"PROD_KC_{turn}", "keywords": ["music"], "start_date": "2026-01-01", "end_date": "2026-01-31"
        },
        "refresh_yt_posts_by_genre": lambda turn: {"category": "Music", "language": "hi"},
        "refresh_yt_post_type": lambda turn: {"post_id": videos[turn % len(videos)]},
        "refresh_yt_profile_insights": channel,
        "refresh_yt_profile_relationship": channel,
        "refresh_yt_activities": channel,
        "fetch_yt_post_comments": lambda turn: video(turn) | {"max_comments": 1000},
        **{name: lambda turn: {"channel_ids": channels[turn : turn + 40]} for name in _CSV},
        **{f"refresh_instagram_gpt_data_{name}": asked for name in _GPT},
        "asset_upload_flow": asset,
        "asset_upload_flow_stories": asset,
        requests.ORDER_FLOW: lambda turn: {"store": stores[turn % 2], "limit": 250, "updated_at_min": "2026-01-01"},
        "refresh_no_such_thing": someone,
    }  # fmt: skip
    return flows
