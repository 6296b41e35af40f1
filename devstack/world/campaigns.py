"""Campaigns, applications and journeys, and the app users behind them; a few applications lack their journey."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from devstack.world import draws, launches, submissions
from devstack.world.core import Core
from devstack.world.posts import DAY
from devstack.world.size import World

MISSING_JOURNEYS = 0.05
_CATEGORIES = ['[{"name": "Beauty"}, {"name": "Food & Drinks"}]', "[]", '[{"name": "बॉलीवुड \\"x\\""}]', None]


def tables(world: World, core: Core, lists: pa.Table) -> dict[str, pa.Table]:
    """Rows by `database.table` for campaign_replica and identity_replica; `lists` are the profile collections."""
    profiles = core.profiles
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
    number = np.arange(campaigns)
    collection_ids = core.collected.collections["id"].combine_chunks()
    return {
        "campaign_replica.campaign": pa.table({
            "id": pa.array(np.arange(campaigns) + 1),
            "campaign_type": draws.picked(["REWARD_LADDER", "REPOST_CHALLENGE", "COLLAB"], np.arange(campaigns) % 3),
            "platform_id": pa.array(np.where(np.arange(campaigns) % 7 == 0, 2, 1)),
            "saas_collection_id": draws.with_nulls(
                collection_ids.take(pa.array(number % len(collection_ids))), number % 5 == 4
            ),
            "saas_campaign_collection_id": draws.with_nulls(
                draws.texts(number % lists.num_rows + 1), number % 6 == 5
            ),
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
        "campaign_replica.deliverable_shortlisted_user_link": launches.links(world),
        "identity_replica.social_account": _social_accounts(world, random, core, member),
        "identity_replica.host_profile": pa.table({
            "user_client_account_id": pa.array(member + 9_000_000),
            "user_categories": draws.picked(_CATEGORIES, np.where(member % 6 < len(_CATEGORIES), member % 6, 0)),
            "webengage_user_id": draws.joined("we-", draws.texts(member)),
        }),
        **submissions.tables(world, core, campaigns),
        **crm(world, campaigns, member),
    }  # fmt: skip


def crm(world: World, campaigns: int, member: np.ndarray) -> dict[str, pa.Table]:
    """Which campaigns a creator could join, and the cards that tell of campaigns and challenges."""
    random = draws.stream(world.seed, "crm")
    number = np.arange(campaigns)
    challenge = number % 3 == 0
    ends = world.as_of_epoch + random.uniform(-20, 40, campaigns) * DAY
    ladder = [(place + 1).tolist() for place in np.split(number, [campaigns // 2])]

    def of_challenge(column: pa.Array) -> pa.Array:
        return draws.with_nulls(column, ~challenge)

    some = [(ladder[0][: who % 4], ladder[1][: who % 3]) for who in member.tolist()]
    return {
        "campaign_replica.user_eligible_campaigns": pa.table({
            "cp_id": pa.array(member + 5_000_000),
            "account_id": pa.array(member + 9_000_000, mask=member % 13 == 12),
            "reward_ladder_campaign_ids": pa.array([first for first, _ in some], pa.list_(pa.int64())),
            "non_reward_ladder_campaign_ids": pa.array([second for _, second in some], pa.list_(pa.int64())),
            "webengage_user_id": draws.with_nulls(draws.joined("we-", draws.texts(member)), member % 17 == 16),
        }),
        "campaign_replica.collab_challenge_slot_combined_data": pa.table({
            "campaign_id": pa.array(number + 1),
            "campaign_name": draws.joined('Campaign "', draws.texts(number + 1), '" ✨'),
            "campaign_description": draws.picked(["Try it; tell it", "Reels\\posts\n3 days", None], number % 3),
            "campaign_tentative_payout_text": draws.picked(["₹500 to ₹2,000", "Product + ₹1,000", None], number % 3),
            "campaign_image": draws.joined("https://assets.example/campaigns/", draws.texts(number + 1), ".jpg"),
            "campaign_start_time": _seconds(ends - 30 * DAY),
            "campaign_end_time": _seconds(ends),
            "campaign_available_slots_count": pa.array(random.integers(0, 40, campaigns)),
            "campaign_crm_invitation_link": draws.joined("https://gcc.page.example/c", draws.texts(number + 1)),
            "campaign_type": draws.picked(["REWARD_LADDER", "REPOST_CHALLENGE", "COLLAB"], number % 3),
            "reward_ladder_code": draws.picked(["SILVER", "GOLD", None], number % 3),
            "reward_ladder_level": pa.array(number % 4, mask=~challenge),
            "campaign_invite_link": draws.joined("https://gcc.page.example/i", draws.texts(number + 1)),
            "challenge_id": pa.array(number + 1, mask=~challenge),
            "challenge_name": of_challenge(draws.joined("Challenge ", draws.texts(number + 1))),
            "challenge_image": of_challenge(draws.joined("https://assets.example/ch", draws.texts(number))),
            "challenge_end_time": of_challenge(_seconds(ends)),
            "challenge_crm_invitation_link": of_challenge(draws.joined("https://gcc.example/h", draws.texts(number))),
            "challenge_link": of_challenge(draws.joined("https://gcc.page.example/l", draws.texts(number))),
        }),
    }  # fmt: skip


def _social_accounts(world: World, random: np.random.Generator, core: Core, member: np.ndarray) -> pa.Table:
    """Linked accounts of app users: most on Instagram, some channels, some handles twice, some not linked any more."""
    handles = core.profiles.handle.to_pylist()
    rows = len(member)
    linked = pa.table({
        "account_id": pa.array(member + 9_000_000),
        "handle": core.profiles.handle.take(pa.array(member)),
        "platform": pa.array(["INSTAGRAM"] * rows),
        "created_on": _seconds(world.as_of_epoch - random.uniform(1, 500, rows) * DAY),
        "campaign_profile_id": pa.array(core.profiles.number[member] + 5_000_000),
        "final_post_link_submitted_once": pa.array(np.ones(rows, np.uint8), mask=random.random(rows) < 0.6),
    })  # fmt: skip
    more = draws.stream(world.seed, "more social accounts")
    channels = more.permutation(len(core.channels))[: max(rows // 12, 3)]
    names = core.channels.custom_url.to_pylist()
    again, unlinked = member[5:60:11].tolist(), member[3:40:9].tolist()
    found = [(9_500_000 + place, names[place], "YOUTUBE", None) for place in channels.tolist()]
    found += [(9_600_000 + place, handles[place], "INSTAGRAM", place + 5_000_000) for place in again]
    found += [(0 if place % 2 else None, handles[place].upper(), "INSTAGRAM", None) for place in unlinked]
    account, handle, platform, profile = zip(*found, strict=True)
    added = pa.table({
        "account_id": pa.array(account, pa.int64()),
        "handle": pa.array(handle, pa.string()),
        "platform": pa.array(platform, pa.string()),
        "created_on": _seconds(world.as_of_epoch - more.uniform(0.1, 12, len(found)) * DAY),
        "campaign_profile_id": pa.array(profile, pa.int64()),
        "access_token_expired": pa.array((np.arange(len(found)) % 2).astype(np.uint8)),
    })  # fmt: skip
    return pa.concat_tables([linked, added], promote_options="default")


def _bits(random: np.random.Generator, rows: int, share: float) -> pa.Array:
    return pa.array((random.random(rows) < share).astype(np.uint8))


def _seconds(epoch: np.ndarray) -> pa.Array:
    """DateTime values, which have whole seconds."""
    return pa.array(epoch.astype(np.int64)).cast(pa.timestamp("s"))
