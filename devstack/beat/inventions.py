"""What flows find that no table of the world holds: followers, comments, audiences, orders, answers of the model.

Everything follows from the request's parameters, so the same request finds the same people again; only the time, the
event ids and, for orders, the hour differ. Rows of tables that Beat still writes itself come beside the messages.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from devstack.beat import answers, phrases
from devstack.beat.events import INSTAGRAM, YOUTUBE, Message, profile_log, text_time
from devstack.beat.flows import Scrapes
from devstack.beat.log_entries import (
    COMMENT,
    FOLLOWS,
    LIKE,
    SHOPIFY,
    ChannelActivity,
    Order,
    PostActivity,
    ProfileRelationship,
    Sentiment,
    Subscription,
)
from devstack.beat.replica import Row
from devstack.world.vocabulary import AGES, CITIES

PEOPLE = 40  # followers or followed profiles of one request
MOST_COMMENTS = 12
SUBSCRIPTIONS = 8
ACTIVITIES = 5
ORDERS_PER_HOUR = 2


@dataclass
class Invention:
    """What one request found: its messages, and rows by table of `beat_replica`."""

    messages: list[Message] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)


def invent(kind: Scrapes, flow: str, params: Mapping[str, object], now: datetime) -> Invention:
    """Carry out a request of one of the kinds in INVENTED. Parameters of a wrong type raise what Python raises."""
    seed = orjson.dumps([flow, params], option=orjson.OPT_SORT_KEYS)
    return _INVENTORS[kind](flow, params, random.Random(seed), now)  # noqa: S311 -- chance, no secret


def _answers(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    handle, question = str(params["data"]["handle"]), answers.FLOWS[flow]
    versions = [answers.version(question, turn) for turn in range(2)] if question.startswith("audience") else [
        answers.version(question)
    ]  # fmt: skip
    described = {"handle": handle} | answers.answer(question, chance.getrandbits(39))
    return Invention([_profile(handle, handle, f"openapi_profile_info_{name}", described, now) for name in versions])


def _profile_insights(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    """Counts by age and gender, city and country; the event names no handle. The params hold the account's row too."""
    counts = {gender: {age: chance.randrange(5_000) for age in AGES} for gender in ("male", "female")}
    described = {
        "audience_gender_age": counts | {"uncategorized": {}},
        "audience_city": {f"{city}, India": chance.randrange(3_000) for city in chance.sample(CITIES, 12)},
        "audience_country": {"IN": chance.randrange(50_000), "AE": chance.randrange(900)},
    }
    profile_id = str(params["profile_id"])
    row: Row = {"id": params["id"], "profile_id": profile_id, "handle": params["handle"], "updated_at": now}
    row |= {name: _text(values) for name, values in described.items()} | {"created_at": now}
    message = _profile(profile_id, None, "graphapi", described, now)
    return Invention([message], {"instagram_profile_insights": [row]})


def _channel_insights(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    channel = str(params["channel_id"])
    bands = [f"age{age}".replace("+", "-") for age in AGES]
    shares = {gender: {band: round(chance.random() * 14, 1) for band in bands} for gender in ("male", "female")}
    described = {"gender_age": shares | {"uncategorized": {}}, "city": {"Mumbai": chance.randrange(9_000)},
                 "country": {"IN": chance.randrange(90_000)}}  # fmt: skip
    message = profile_log(
        event_id=_id(), source="ytapi", platform=YOUTUBE, profile_id=channel, handle=None,
        event_timestamp=text_time(now), metrics={}, dimensions=described,
    )  # fmt: skip
    row: Row = {"id": params["id"], "channel_id": channel, "created_at": now, "updated_at": now}
    return Invention([message], {"youtube_profile_insights": [
        row | {name: _text(values) for name, values in described.items()}
    ]})  # fmt: skip


def _people(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    """Followers of a profile, or whom it follows, with the rows of the table beside the events."""
    scraped, followers = str(params["profile_id"]), flow == "fetch_profile_followers"
    found = Invention()
    for _ in range(PEOPLE):
        number = chance.randrange(10**10)
        described = {
            "handle": f"user_{number % 10**7}",
            "full_name": chance.choice(phrases.FOLLOWER_NAMES),
            "profile_pic_url": f"https://scontent.cdninstagram.example/v/t51/{number}_n.jpg",
            "is_private": chance.random() < 0.2,
            "is_verified": False,
        }
        ends = (str(number), scraped) if followers else (scraped, str(number))
        told = (described, {}) if followers else ({}, described)
        message = ProfileRelationship(
            event_id=_id(), source="rocketapi", platform=INSTAGRAM, source_profile_id=ends[0],
            target_profile_id=ends[1], source_metrics={}, target_metrics={}, source_dimensions=told[0],
            target_dimensions=told[1], event_timestamp=text_time(now),
        )  # fmt: skip
        found.messages.append(message.message())
        found.rows.setdefault("profile_relationship_log", []).append({
            "id": _row_id(), "relationship_type": FOLLOWS, "platform": INSTAGRAM, "source_profile_id": ends[0],
            "target_profile_id": ends[1], "source_dimensions": _text(told[0]), "target_dimensions": _text(told[1]),
            "source_metrics": "{}", "target_metrics": "{}", "source": "rocketapi", "timestamp": now,
        })  # fmt: skip
    return found


def comments(
    shortcode: str, platform: str, chance: random.Random, now: datetime, most: int = MOST_COMMENTS
) -> Invention:
    """Some comments on a post and what their mood is."""
    found = Invention()
    for number in range(chance.randint(0, most)):
        text, mood, score = chance.choice(phrases.COMMENTS)
        identity = f"{shortcode}-{number}"
        written = now - timedelta(seconds=chance.randint(60, 86_400))
        metrics = {"likes": chance.randrange(20), "comments": chance.randrange(3)}
        described = {"comment_id": identity, "text": text, "taken_at_timestamp": int(written.timestamp())}
        _activity(found, COMMENT, platform, shortcode, str(chance.randrange(10**10)), text_time(written), metrics,
                  described, now)  # fmt: skip
        sentiment = Sentiment(
            event_id=_id(), platform=platform, shortcode=shortcode, comment_id=identity, comment=text, sentiment=mood,
            score=score, event_timestamp=text_time(now), metrics={}, dimensions={},
        )  # fmt: skip
        found.messages.append(sentiment.message())
    return found


def _comments(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    platform = YOUTUBE if "_yt_" in flow else INSTAGRAM
    return comments(str(params["shortcode"]), platform, chance, now, min(int(params["max_comments"]), MOST_COMMENTS))


def _likes(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    found = Invention()
    for _ in range(chance.randint(1, PEOPLE)):
        described = {"handle": f"user_{chance.randrange(10**7)}", "full_name": chance.choice(phrases.FOLLOWER_NAMES)}
        actor = str(chance.randrange(10**10))
        _activity(found, LIKE, INSTAGRAM, str(params["shortcode"]), actor, None, {}, described, now)
    return found


def _activity(
    found: Invention, kind: str, platform: str, shortcode: str, actor: str, written: str | None,
    metrics: dict[str, object], described: dict[str, object], now: datetime,
) -> None:  # fmt: skip
    source = "ytapi" if platform == YOUTUBE else "rocketapi"
    message = PostActivity(
        event_id=_id(), source=source, activity_type=kind, platform=platform, actor_profile_id=actor,
        shortcode=shortcode, publish_time=written, event_timestamp=text_time(now), metrics=metrics,
        dimensions=described,
    )  # fmt: skip
    found.messages.append(message.message())
    found.rows.setdefault("post_activity_log", []).append({
        "id": _row_id(), "activity_type": kind, "platform": platform, "platform_post_id": shortcode,
        "actor_profile_id": actor, "dimensions": _pairs(described), "metrics": _pairs(metrics), "source": source,
        "timestamp": now,
    })  # fmt: skip


def _subscriptions(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    source = str(params["channel_id"])
    found = Invention()
    for _ in range(SUBSCRIPTIONS):
        target = f"UC{chance.getrandbits(84):021x}A"
        message = Subscription(
            event_id=_id(), relationship_id=f"{source[2:12]}{target[2:12]}", source_channel_id=source,
            target_channel_id=target, source_metrics={}, target_metrics={}, source_dimensions={},
            target_dimensions={"channel_title": target[:8]}, event_timestamp=text_time(now),
            subscribed_on=text_time(now - timedelta(days=chance.randint(1, 2_000))),
        )  # fmt: skip
        found.messages.append(message.message())
    return found


def _activities(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    found = Invention()
    for number in range(ACTIVITIES):
        kind = phrases.ACTIVITY_TYPES[number % len(phrases.ACTIVITY_TYPES)]
        happened = (now - timedelta(hours=chance.randint(1, 700))).strftime("%Y-%m-%dT%H:%M:%SZ")
        described = {"title": "Video", "taken_at_timestamp": happened} if kind in ("playlistItem", "upload") else {}
        message = ChannelActivity(
            event_id=_id(), activity_id=f"act-{chance.getrandbits(40):x}", activity_type=kind,
            actor_channel_id=str(params["channel_id"]), metrics={}, dimensions=described,
            event_timestamp=text_time(now),
        )  # fmt: skip
        found.messages.append(message.message())
    return found


def _orders(flow: str, params: Mapping[str, object], chance: random.Random, now: datetime) -> Invention:
    """The orders of the current hour of a shop: asking twice within it finds the same ones."""
    store = str(params["store"])
    hour = now.replace(minute=0, second=0, microsecond=0)
    found = Invention()
    for number in range(ORDERS_PER_HOUR):
        identity = str(6_000_000_000_000 + uuid.uuid5(uuid.NAMESPACE_DNS, f"{store}/{hour}/{number}").int % 10**12)
        utm = {"source": "gcc", "medium": "story"} if number % 2 == 0 else {}
        created = hour.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        data = {
            "id": int(identity), "name": f"#{int(identity) % 10**6}", "total_price": "499.00", "tags": "",
            "created_at": created, "updated_at": created, "cancelled_at": None, "landing_site": "/",
            "line_items": [{"vendor": store}], "fulfillments": [],
        }  # fmt: skip
        row: Row = {
            "id": int(identity), "platform": SHOPIFY, "platform_order_id": identity, "status": None,
            "name": data["name"], "store": store, "store_name": store, "landing_site": "/", "utm_params": _text(utm),
            "order_data": _text(data), "created_at": now, "updated_at": now,
        }  # fmt: skip
        told = {name: row[name] for name in ("platform_order_id", "name", "status", "landing_site", "store_name",
                                             "utm_params", "platform", "store")}  # fmt: skip
        message = Order(
            event_id=_id(), platform_order_id=identity, store=store, event_timestamp=text_time(now), metrics={},
            dimensions=told | {"order_data": data},
        )  # fmt: skip
        found.messages.append(message.message())
        found.rows.setdefault("order", []).append(row)
    return found


_INVENTORS: dict[Scrapes, Callable[[str, Mapping[str, object], random.Random, datetime], Invention]] = {
    Scrapes.ANSWERS: _answers,
    Scrapes.PROFILE_INSIGHTS: _profile_insights,
    Scrapes.CHANNEL_INSIGHTS: _channel_insights,
    Scrapes.FOLLOWERS: _people,
    Scrapes.FOLLOWING: _people,
    Scrapes.COMMENTS: _comments,
    Scrapes.LIKES: _likes,
    Scrapes.SUBSCRIPTIONS: _subscriptions,
    Scrapes.ACTIVITIES: _activities,
    Scrapes.ORDERS: _orders,
}
INVENTED = frozenset(_INVENTORS)


def _profile(profile_id: str, handle: str | None, source: str, described: dict[str, object], now: datetime) -> Message:
    return profile_log(
        event_id=_id(), source=source, platform=INSTAGRAM, profile_id=profile_id, handle=handle,
        event_timestamp=text_time(now), metrics={}, dimensions=described,
    )  # fmt: skip


def _id() -> str:
    return str(uuid.uuid4())


def _row_id() -> int:
    return uuid.uuid4().int >> 66  # below 2^62


def _text(values: Mapping[str, object]) -> str:
    return orjson.dumps(values).decode()


def _pairs(values: Mapping[str, object]) -> str:
    return orjson.dumps([{"key": key, "value": value} for key, value in values.items()]).decode()
