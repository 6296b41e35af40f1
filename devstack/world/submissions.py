"""What creators handed in for campaigns: links to posts of their own, in every state of the checks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from devstack.world import draws
from devstack.world.core import Core
from devstack.world.posts import DAY, REELS, STORY
from devstack.world.size import World

_STORY, _REEL, _REPOST = 2, 11, 42
_OTHER_FORMATS = [1, 3, 12]
_STATES = ["UNDER_REVIEW", "APPROVED", "REJECTED"]
_ITEM_STATES = ["UNDER_REVIEW_ADDED", "ADDED", "REMOVED", None]  # the first three go with the states above
DAYS = 60


def tables(world: World, core: Core, campaigns: int) -> dict[str, pa.Table]:
    """Deliverables of the campaigns and their submissions."""
    random = draws.stream(world.seed, "submissions")
    rows = world.size.applications
    young = np.flatnonzero(core.posts.published > world.as_of_epoch - DAYS * DAY)
    post = random.choice(young, rows)
    kind = core.posts.kind[post]
    plain = np.array(_OTHER_FORMATS)[random.integers(0, len(_OTHER_FORMATS), rows)]
    reel = np.where(random.random(rows) < 0.4, _REPOST, _REEL)
    state = random.integers(0, len(_STATES), rows)
    item_state = np.where(random.random(rows) < 0.8, state, random.integers(0, len(_ITEM_STATES), rows))
    campaign = random.integers(1, campaigns + 1, rows)
    created = np.minimum(core.posts.published[post] + random.uniform(600, 3 * DAY, rows), world.as_of_epoch - 60)
    shortcode = core.posts.shortcode.take(pa.array(post))
    asked_for = core.posts.shortcode.take(pa.array(random.choice(young, campaigns)))
    reference = draws.joined("https://www.instagram.com/reel/", asked_for, "/?igshid=a%3D1")
    return {
        "campaign_replica.campaign_deliverable": pa.table({
            "id": pa.array(np.arange(campaigns) + 1),
            "reference_url": draws.with_nulls(reference, np.arange(campaigns) % 6 == 5),
        }),
        "campaign_replica.deliverable_submission": pa.table({
            "id": pa.array(np.arange(rows) + 1),
            "campaign_id": pa.array(campaign),
            "brief_id": pa.array(campaign),
            "campaign_deliverable_id": pa.array(campaign),
            "campaign_profile_id": pa.array(core.profiles.number[core.posts.owner[post]] + 5_000_000),
            "campaign_post_format_id": pa.array(np.select([kind == STORY, kind == REELS], [_STORY, reel], plain)),
            "platform_id": pa.array(np.where(campaign % 7 == 1, 2, 1)),
            "short_code": draws.with_nulls(shortcode, random.random(rows) < 0.03),
            "status": draws.picked(_STATES, state),
            "level": draws.picked(["FINAL_POST", "DRAFT"], (random.random(rows) < 0.15).astype(np.int64)),
            "handle_verified": pa.array(random.integers(0, 2, rows).astype(np.uint8), mask=random.random(rows) < 0.4),
            "saas_post_item_status": draws.picked(_ITEM_STATES, item_state),
            "created_on": pa.array(created.astype(np.int64)).cast(pa.timestamp("s")),
        }),
    }  # fmt: skip
