"""One valid message per event type, as its publisher sends it."""

from __future__ import annotations

import time
import uuid
from typing import Any


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


def sample_event(event_type: str, **changes: Any) -> dict[str, Any]:
    """A message of that type with an id of its own, as of now; `changes` replace keys."""
    return _SAMPLES[event_type]() | changes


def _log(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "source": "graphapi",
        "platform": "INSTAGRAM",
        **fields,
        "event_timestamp": _now(),
        "metrics": {"likes": 1234, "comments": 56},
        "dimensions": {"full_name": 'Some "Body" \\ \n 😀', "bio": "x" * 150},
    }


def _edge(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "source": "graphapi",
        **fields,
        "source_metrics": {},
        "target_metrics": {},
        "source_dimensions": {"handle": "follower", "is_private": False},
        "target_dimensions": {},
        "event_timestamp": _now(),
    }


def _scrape_request() -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "scl_id": "77",
        "flow": "refresh_profile_by_handle",
        "platform": "INSTAGRAM",
        "params": {"handle": "somebody", "hash": 18446744073709551615},
        "status": "PENDING",
        "priority": 1,
        "reason": None,
        "event_timestamp": _now(),
        "picked_at": _now(),
        "expires_at": _now().replace(" ", "T") + ".123456",
        "retry_count": 1,
    }


def _trace() -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "hostname": "beat-1",
        "serviceName": "beat",
        "timestamp": _now().replace(" ", "T") + ".250000",
        "timeTaken": 2,
        "method": "GET",
        "uri": "https://graph.example/v1/me?fields=id",
        "headers": {"Accept": "*/*"},
        "responseStatus": 200,
        "remoteAddress": "https://graph.example/v1/me",
        "onlyRequest": False,
        "requestBody": "",
        "responseBody": "",
    }


def _launch() -> dict[str, Any]:
    return {
        "eventId": str(uuid.uuid4()),
        "headers": {"Accept": ["*/*"]},
        "clientIp": "203.0.113.9",
        "userAgent": "Mozilla/5.0 (Linux; U; Android 13; en-US; Pixel 7) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36",
        "timestamp": int(time.time()),
        "userId": 9007199254740993,
        "deviceId": "device-1",
        "bbDeviceId": "bb-1",
        "userAccountId": None,
        "clientId": "app",
        "referralIdentifier": "CODE1",
        "dynamicLink": "https://link.example/r?code=CODE1",
        "deepLink": None,
    }


_SAMPLES = {
    "profile_log": lambda: _log(profile_id="17841400000000001", handle="somebody"),
    "post_log": lambda: _log(profile_id="1784", handle="somebody", shortcode="Cx1", publish_time=_now()),
    "post_activity_log": lambda: _log(
        activity_type="COMMENT", actor_profile_id="1785", shortcode="Cx1", publish_time=_now()
    ),
    "sentiment_log": lambda: _log(
        source="beat", shortcode="Cx1", comment_id="c-1", comment="great", sentiment="POSITIVE", score=0.93
    ),
    "profile_relationship_log": lambda: _edge(
        relationship_type="FOLLOWS", platform="INSTAGRAM", source_profile_id="1", target_profile_id="2"
    ),
    "scrape_request_log": _scrape_request,
    "order_log": lambda: _log(source="shopify", platform="SHOPIFY", platform_order_id="5001", store="shop.example"),
    "yt_activity_log": lambda: _log(
        source="ytapi", platform="YOUTUBE", activity_id="a-1", activity_type="upload", actor_channel_id="UC1"
    ),
    "yt_profile_relationship_log": lambda: _edge(
        relationship_id="r-1",
        relationship_type="subscription",
        platform="YOUTUBE",
        source_channel_id="UC1",
        target_channel_id="UC2",
        subscribed_on="2026-01-05 08:00:00",
    ),
    "trace_log": _trace,
    "launch_refer": _launch,
}
