"""App launches through referral links, most of them through the links that shortlisted creators were given."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat.events import Message
from devstack.beat.log_entries import LaunchRefer
from devstack.beat.phrases import USER_AGENTS
from devstack.world import draws, timeline
from devstack.world.posts import DAY
from devstack.world.size import World

LINK = "https://gcc.page.example/"
HISTORY_DAYS = 3  # half of the launches are of the last day
PER_LINK = 2
_QUERIES = ["?utm_source=ig&utm_medium=story", "", "?a=1&b=%20x", "?"]


def links(world: World) -> pa.Table:
    """Rows of `campaign_replica.deliverable_shortlisted_user_link`: a link for each second user, or an empty list."""
    shortlisted = np.arange(max(world.size.applications // 3, 1)) + 1
    given = shortlisted[::2]
    texts = [
        "[]" if number % 10 == 9 else orjson.dumps([{"link": _link(int(number)), "type": "refer"}]).decode()
        for number in given
    ]
    return pa.table({"shortlisted_user_id": pa.array(given), "unique_link_data": pa.array(texts)})


def messages(world: World) -> list[Message]:
    """launch_refer messages in publishing order."""
    random = draws.stream(world.seed, "launches")
    users = links(world)["shortlisted_user_id"].to_numpy()
    user = np.resize(users, len(users) * PER_LINK)[: max(len(users), 60)]
    days = np.where(random.random(len(user)) < 0.5, random.random(len(user)), HISTORY_DAYS * random.random(len(user)))
    order = timeline.published(
        world, "launches", 0, user, (world.as_of_epoch - 30 - days * (DAY - 60)).astype(np.int64)
    )
    identity = draws.event_ids(order.event, draws.salt(world.seed, world.as_of_epoch, "launches")).to_pylist()
    return [
        launch(name, "https://elsewhere.example/x" if event % 9 == 8 else _link(who), event, moment)
        for name, who, moment, event in zip(
            identity, order.entity.tolist(), order.moment.tolist(), order.event.tolist(), strict=True
        )
    ]


def launch(identity: str, link: str, number: int, moment: int) -> Message:
    """One launch through a link; everything else about it follows from `number`."""
    agent = USER_AGENTS[number % len(USER_AGENTS)]
    signed_in = number % 4 != 3
    return LaunchRefer(
        eventId=identity,
        headers={"User-Agent": [agent], "Accept-Language": ["en-IN,hi;q=0.8"]},
        clientIp=f"203.0.113.{number % 254 + 1}",  # of the range for documentation
        userAgent=agent,
        timestamp=moment,
        userId=number + 700_000 if signed_in else None,
        deviceId=f"device-{number}",
        bbDeviceId=f"bb-{number}",
        userAccountId=number + 9_000_000 if signed_in else None,
        clientId=("GCC-android", "GCC-ios")[number % 2],
        referralIdentifier=f"REF{number:06d}",
        dynamicLink=link + _QUERIES[number % len(_QUERIES)],
        deepLink=None if number % 3 else f"gcc://campaign?link={link}",
    ).message()


def _link(number: int) -> str:
    return f"{LINK}{number * 7_919 % 1_000_003:06x}"
