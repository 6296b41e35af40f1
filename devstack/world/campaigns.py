"""Campaigns, applications and journeys, and the app users behind them; a few applications lack their journey."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from devstack.world import draws
from devstack.world.posts import DAY
from devstack.world.profiles import Profiles
from devstack.world.size import World

MISSING_JOURNEYS = 0.05


def tables(world: World, profiles: Profiles) -> dict[str, pa.Table]:
    """Rows by `database.table` for campaign_replica and identity_replica."""
    random = draws.stream(world.seed, "campaigns")
    applications = world.size.applications
    campaigns = max(applications // 40, 5)
    application_id = np.arange(applications) + 1
    has_journey = random.random(applications) >= MISSING_JOURNEYS
    has_journey[:3] = False  # even the smallest world has work for the messages
    active = random.random(applications) < 0.95
    active[:3] = True
    member = random.integers(0, len(profiles), min(applications, len(profiles)))
    member = np.unique(member)
    return {
        "campaign_replica.campaign": pa.table({
            "id": pa.array(np.arange(campaigns) + 1),
            "campaign_type": draws.picked(["REWARD_LADDER", "REPOST_CHALLENGE", "COLLAB"], np.arange(campaigns) % 3),
            "platform_id": pa.array(np.where(np.arange(campaigns) % 7 == 0, 2, 1)),
        }),
        "campaign_replica.brief": pa.table({
            "id": pa.array(np.arange(campaigns) + 1),
            "auto_verification": _bits(random, campaigns, 0.6),
            "content_auto_verification": _bits(random, campaigns, 0.5),
            "unique_link_auto_verification": _bits(random, campaigns, 0.3),
        }),
        "campaign_replica.user_campaign_application": pa.table({
            "id": pa.array(application_id),
            "campaign_id": pa.array(random.integers(1, campaigns + 1, applications)),
            "active": pa.array(active.astype(np.uint8)),
            "created_on": _seconds(world.as_of_epoch - random.uniform(0.05, 200, applications) * DAY),
            "saas_campaign_collection_item_id": draws.with_nulls(
                draws.texts(application_id), random.random(applications) < 0.2
            ),
        }),
        "campaign_replica.user_campaign_journey": pa.table({"uca_id": pa.array(application_id[has_journey])}),
        "campaign_replica.shortlisted_user": pa.table({
            "id": pa.array(np.arange(applications // 3) + 1),
            "active": _bits(random, applications // 3, 0.9),
            "accepted": _bits(random, applications // 3, 0.7),
            "created_on": _seconds(world.as_of_epoch - random.uniform(0.05, 200, applications // 3) * DAY),
        }),
        "campaign_replica.campaign_payout": pa.table({
            "shortlisted_user_id": pa.array(np.arange(applications // 3)[::2] + 1),
        }),
        "identity_replica.social_account": pa.table({
            "account_id": pa.array(member + 9_000_000),
            "handle": profiles.handle.take(pa.array(member)),
            "platform": pa.array(["INSTAGRAM"] * len(member)),
            "created_on": _seconds(world.as_of_epoch - random.uniform(1, 500, len(member)) * DAY),
            "campaign_profile_id": pa.array(profiles.number[member] + 5_000_000),
            "final_post_link_submitted_once": pa.array(
                np.ones(len(member), np.uint8), mask=random.random(len(member)) < 0.6
            ),
        }),
        "identity_replica.host_profile": pa.table({
            "user_client_account_id": pa.array(member + 9_000_000),
            "user_categories": pa.array(['[{"name": "Beauty"}, {"name": "Food & Drinks"}]'] * len(member)),
            "webengage_user_id": draws.joined("we-", draws.texts(member)),
        }),
    }  # fmt: skip


def _bits(random: np.random.Generator, rows: int, share: float) -> pa.Array:
    return pa.array((random.random(rows) < share).astype(np.uint8))


def _seconds(epoch: np.ndarray) -> pa.Array:
    """DateTime values, which have whole seconds."""
    return pa.array(epoch.astype(np.int64)).cast(pa.timestamp("s"))
