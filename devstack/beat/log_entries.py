"""The messages beside profile, post and request logs: comments, sentiments, follows, subscriptions, orders, calls.

Each class is one payload: its fields are the JSON keys, `message` puts it on its routing key. Shapes and types follow
the event contract. `launch_refer` comes from the mobile gateway, not from Beat, and stands here for the same reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import orjson

from devstack.beat.events import Message, Values

COMMENT, LIKE = "COMMENT", "LIKE"
FOLLOWS, SUBSCRIPTION = "FOLLOWS", "subscription"
SHOPIFY = "SHOPIFY"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One payload; a subclass names the routing key that it goes out with."""

    routing_key: ClassVar[str]

    def message(self) -> Message:
        return Message(self.routing_key, orjson.dumps(self))


@dataclass(frozen=True, kw_only=True)
class PostActivity(Entry):
    """Somebody commented on or liked a post. A like carries no time of its own, and some providers no actor."""

    routing_key: ClassVar[str] = "post_activity_log_events"

    event_id: str
    source: str
    activity_type: str
    platform: str
    actor_profile_id: str | None
    shortcode: str
    publish_time: str | None
    event_timestamp: str
    metrics: Values
    dimensions: Values


@dataclass(frozen=True, kw_only=True)
class Sentiment(Entry):
    """What the language model read into a comment; the score is 0 to 1."""

    routing_key: ClassVar[str] = "sentiment_log_events"

    event_id: str
    source: str = "beat"
    platform: str
    shortcode: str
    comment_id: str
    comment: str
    sentiment: str
    score: float
    event_timestamp: str
    metrics: Values
    dimensions: Values


@dataclass(frozen=True, kw_only=True)
class ProfileRelationship(Entry):
    """Source follows target. The scraped side has empty dimensions, the other one tells its name."""

    routing_key: ClassVar[str] = "profile_relationship_log_events"

    event_id: str
    source: str
    relationship_type: str = FOLLOWS
    platform: str
    source_profile_id: str
    target_profile_id: str
    source_metrics: Values
    target_metrics: Values
    source_dimensions: Values
    target_dimensions: Values
    event_timestamp: str


@dataclass(frozen=True, kw_only=True)
class Subscription(Entry):
    """The source channel subscribes to the target channel since `subscribed_on` (UTC)."""

    routing_key: ClassVar[str] = "yt_profile_relationship_log_events"

    event_id: str
    relationship_id: str
    relationship_type: str = SUBSCRIPTION
    source: str = "ytapi"
    platform: str = "YOUTUBE"
    source_channel_id: str | None
    target_channel_id: str | None
    source_metrics: Values
    target_metrics: Values
    source_dimensions: Values
    target_dimensions: Values
    subscribed_on: str
    event_timestamp: str


@dataclass(frozen=True, kw_only=True)
class ChannelActivity(Entry):
    """An entry of a channel's activity feed; its time in `dimensions` is ISO text, unlike everywhere else."""

    routing_key: ClassVar[str] = "yt_activity_log_events"

    event_id: str
    activity_id: str
    activity_type: str
    source: str = "ytapi"
    platform: str = "YOUTUBE"
    actor_channel_id: str | None
    metrics: Values
    dimensions: Values
    event_timestamp: str


@dataclass(frozen=True, kw_only=True)
class Order(Entry):
    """A shop order as its shop knows it now; the whole order stands in `dimensions`."""

    routing_key: ClassVar[str] = "order_log_events"

    event_id: str
    source: str = "shopify"
    platform: str = SHOPIFY
    platform_order_id: str
    store: str | None
    event_timestamp: str
    metrics: Values
    dimensions: Values


@dataclass(frozen=True, kw_only=True)
class Trace(Entry):
    """An outbound call of Beat: its time is ISO 8601 with T, `timeTaken` whole seconds, mostly 0."""

    routing_key: ClassVar[str] = "trace_log"

    id: str
    hostname: str
    serviceName: str = "beat"
    timestamp: str
    timeTaken: int
    method: str
    uri: str
    headers: Values
    responseStatus: int
    remoteAddress: str
    onlyRequest: bool = False
    requestBody: str = ""
    responseBody: str = ""


@dataclass(frozen=True, kw_only=True)
class LaunchRefer(Entry):
    """The app was opened through a referral link; `timestamp` is epoch seconds."""

    routing_key: ClassVar[str] = "LAUNCH_REFER_EVENT"

    eventId: str
    headers: Values
    clientIp: str
    userAgent: str
    timestamp: int
    userId: int | None
    deviceId: str
    bbDeviceId: str
    userAccountId: int | None
    clientId: str
    referralIdentifier: str
    dynamicLink: str
    deepLink: str | None
