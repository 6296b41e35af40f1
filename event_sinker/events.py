"""What the sinker carries: one entry per event type, as data.

An entry names the queue and how it is bound, the batch triggers, the ClickHouse table with its keys, and for each
column where its value comes from. Everything else (DDL, topology, parsing, batching, metrics) follows from the entry,
so a new event type is one entry. The facts come from the event contract; where the old system damaged values,
`event_type.Rule` says what happens here.
"""

from __future__ import annotations

from event_sinker.event_type import Column, EventType, Rule

__all__ = ["EVENT_TYPES", "Column", "EventType", "Rule"]

_ID = Column("event_id", Rule.ID)
_SOURCE = Column("source", Rule.TEXT_OR_EMPTY)
_PLATFORM = Column("platform", Rule.TEXT)
_TIME = Column("event_timestamp", Rule.EVENT_TIME)
_PAYLOAD = (Column("metrics", Rule.JSON), Column("dimensions", Rule.JSON))
_EDGE_PAYLOAD = tuple(
    Column(f"{side}_{payload}", Rule.JSON) for payload in ("metrics", "dimensions") for side in ("source", "target")
)
_SERVICE = (Column("insert_timestamp", Rule.PARSED_AT), Column("ingest_batch_id", Rule.BATCH_ID))


def _beat_log(name: str, columns: tuple[Column, ...], order_by: tuple[str, ...], **changes: object) -> EventType:
    """A log of the scraper: exchange, key, queue and table are all named after it."""
    return EventType(
        name=name,
        exchange="beat.dx",
        routing_key=f"{name}_events",
        queue=f"{name}_events_q",
        table=f"{name}_events",
        columns=(*columns, *_SERVICE),
        order_by=order_by,
        **changes,
    )


_PROFILE_LOG = _beat_log(
    "profile_log",
    columns=(
        _ID,
        _SOURCE,
        _PLATFORM,
        Column("profile_id", Rule.TEXT_OR_EMPTY),
        Column("handle", Rule.TEXT_OR_NULL),
        _TIME,
        *_PAYLOAD,
    ),
    order_by=("platform", "profile_id", "event_timestamp"),
)

_POST_LOG = _beat_log(
    "post_log",
    columns=(
        _ID,
        _SOURCE,
        _PLATFORM,
        Column("profile_id", Rule.TEXT_OR_EMPTY),
        Column("handle", Rule.TEXT_OR_NULL),
        Column("shortcode", Rule.TEXT),
        Column("publish_time", Rule.TIME_OR_NULL),
        _TIME,
        *_PAYLOAD,
    ),
    order_by=("platform", "profile_id", "shortcode", "event_timestamp"),
    batch_seconds=300,
)

_POST_ACTIVITY_LOG = _beat_log(
    "post_activity_log",
    columns=(
        _ID,
        _SOURCE,
        Column("activity_type", Rule.TEXT),
        _PLATFORM,
        Column("actor_profile_id", Rule.TEXT_OR_EMPTY),
        Column("shortcode", Rule.TEXT),
        Column("publish_time", Rule.TIME_OR_NULL),
        _TIME,
        *_PAYLOAD,
    ),
    order_by=("platform", "shortcode", "actor_profile_id", "event_timestamp"),
)

_SENTIMENT_LOG = _beat_log(
    "sentiment_log",
    columns=(
        _ID,
        _SOURCE,
        _PLATFORM,
        Column("shortcode", Rule.TEXT),
        Column("comment_id", Rule.TEXT),
        Column("comment", Rule.TEXT_OR_EMPTY),
        Column("sentiment", Rule.TEXT_OR_EMPTY),
        Column("score", Rule.FLOAT),
        _TIME,
        *_PAYLOAD,
    ),
    order_by=("platform", "shortcode", "comment_id", "event_timestamp"),
)

_PROFILE_RELATIONSHIP_LOG = _beat_log(
    "profile_relationship_log",
    columns=(
        _ID,
        _SOURCE,
        Column("relationship_type", Rule.TEXT),
        _PLATFORM,
        Column("source_profile_id", Rule.TEXT),
        Column("target_profile_id", Rule.TEXT),
        *_EDGE_PAYLOAD,
        _TIME,
    ),
    order_by=("platform", "target_profile_id", "source_profile_id", "event_timestamp"),
)

_SCRAPE_REQUEST_LOG = _beat_log(
    "scrape_request_log",
    columns=(
        _ID,
        Column("scl_id", Rule.UINT64),
        _PLATFORM,
        Column("flow", Rule.TEXT),
        Column("params", Rule.JSON),
        Column("status", Rule.TEXT),
        Column("priority", Rule.INT32_OR_NULL),
        Column("reason", Rule.TEXT_OR_NULL),
        Column("picked_at", Rule.TIME_OR_NULL),
        Column("expires_at", Rule.TIME_OR_NULL),
        Column("retry_count", Rule.INT32_OR_NULL, required=False),
        _TIME,
    ),
    # The old table was partitioned by (day, flow): dozens of parts per insert, and refused past 100. The flow only
    # sorts.
    order_by=("platform", "flow", "event_timestamp"),
)

_ORDER_LOG = _beat_log(
    "order_log",
    columns=(
        _ID,
        _SOURCE,
        _PLATFORM,
        Column("platform_order_id", Rule.TEXT),
        Column("store", Rule.TEXT_OR_EMPTY),
        _TIME,
        *_PAYLOAD,
    ),
    order_by=("platform", "store", "platform_order_id", "event_timestamp"),
)

_YT_ACTIVITY_LOG = _beat_log(
    "yt_activity_log",
    columns=(
        _ID,
        Column("activity_id", Rule.TEXT),
        Column("activity_type", Rule.TEXT),
        _SOURCE,
        _PLATFORM,
        Column("actor_channel_id", Rule.TEXT_OR_EMPTY),
        *_PAYLOAD,
        _TIME,
    ),
    order_by=("actor_channel_id", "activity_type", "event_timestamp"),
)

_YT_PROFILE_RELATIONSHIP_LOG = _beat_log(
    "yt_profile_relationship_log",
    columns=(
        _ID,
        Column("relationship_id", Rule.TEXT),
        Column("relationship_type", Rule.TEXT),
        _SOURCE,
        _PLATFORM,
        Column("source_channel_id", Rule.TEXT_OR_EMPTY),
        Column("target_channel_id", Rule.TEXT_OR_EMPTY),
        *_EDGE_PAYLOAD,
        Column("subscribed_on", Rule.TIME),
        _TIME,
    ),
    order_by=("target_channel_id", "source_channel_id", "event_timestamp"),
)

_TRACE_LOG = EventType(
    name="trace_log",
    exchange="identity.dx",
    # The old binding key `*` matches nothing on a direct exchange, and on a topic exchange foreign messages too.
    routing_key="trace_log",
    queue="trace_log",
    table="trace_log_events",
    columns=(
        # The old parser made up a new id and time for each delivery, so that nothing was ever replaced.
        Column("id", Rule.ID),
        Column("host_name", Rule.TEXT_OR_EMPTY, required=False, keys=("hostname", "hostName")),
        Column("service_name", Rule.TEXT_OR_EMPTY, required=False, keys=("serviceName",)),
        Column("timestamp", Rule.EVENT_TIME),
        Column("time_taken", Rule.INT32, required=False, keys=("timeTaken",)),  # seconds
        Column("method", Rule.TEXT_OR_EMPTY, required=False),
        Column("uri", Rule.TEXT_OR_EMPTY, required=False),
        Column("headers", Rule.JSON, required=False),
        Column("response_status", Rule.INT32, required=False, keys=("responseStatus",)),
        Column("remote_address", Rule.TEXT_OR_EMPTY, required=False, keys=("remoteAddress",)),
        Column("only_request", Rule.FLAG, required=False, keys=("onlyRequest",)),
        Column("request_body", Rule.TEXT_OR_EMPTY, required=False, keys=("requestBody",)),
        Column("response_body", Rule.TEXT_OR_EMPTY, required=False, keys=("responseBody",)),
        *_SERVICE,
    ),
    engine="ReplacingMergeTree",
    partition_by="",
    order_by=("id",),
    id_column="id",
    time_column="timestamp",
    batch_seconds=300,
    redacted=True,
)


def _agent_text(name: str) -> Column:
    return Column(name, Rule.USER_AGENT_TEXT, required=False, keys=("userAgent",), part=name)


def _agent_flag(name: str) -> Column:
    return Column(name, Rule.USER_AGENT_FLAG, required=False, keys=("userAgent",), part=name)


_LAUNCH_REFER = EventType(
    name="launch_refer",
    exchange="event.dx",
    routing_key="LAUNCH_REFER_EVENT",
    queue="launch_refer_event_q",
    table="launch_refer_events",
    columns=(
        Column("id", Rule.ID_OR_EMPTY, required=False, keys=("eventId",)),
        Column("event_timestamp", Rule.EVENT_EPOCH, keys=("timestamp",)),
        Column("client_ip", Rule.TEXT_OR_EMPTY, required=False, keys=("clientIp",)),
        Column("user_agent", Rule.TEXT_OR_EMPTY, required=False, keys=("userAgent",)),
        Column("user_id", Rule.TEXT_OR_NULL, required=False, keys=("userId",)),
        Column("device_id", Rule.TEXT_OR_EMPTY, required=False, keys=("deviceId",)),
        Column("bb_device_id", Rule.TEXT_OR_EMPTY, required=False, keys=("bbDeviceId",)),
        Column("user_account_id", Rule.TEXT_OR_NULL, required=False, keys=("userAccountId",)),
        Column("client_id", Rule.TEXT_OR_EMPTY, required=False, keys=("clientId",)),
        _agent_text("mozilla"),
        _agent_text("platform"),
        _agent_text("os"),
        _agent_text("os_full_name"),
        _agent_text("os_name"),
        _agent_text("os_version"),
        _agent_text("localization"),
        _agent_text("model"),
        _agent_text("browser_name"),
        _agent_text("browser_version"),
        _agent_flag("bot"),
        _agent_flag("mobile"),
        Column("referral_identifier", Rule.TEXT_OR_EMPTY, required=False, keys=("referralIdentifier",)),
        Column("dynamic_link", Rule.TEXT_OR_EMPTY, required=False, keys=("dynamicLink",)),
        Column("deep_link", Rule.TEXT_OR_NULL, required=False, keys=("deepLink",)),
        *_SERVICE,
    ),
    order_by=("event_timestamp", "id"),
    id_column="id",
)

EVENT_TYPES: dict[str, EventType] = {
    event.name: event
    for event in (
        _PROFILE_LOG,
        _POST_LOG,
        _POST_ACTIVITY_LOG,
        _SENTIMENT_LOG,
        _PROFILE_RELATIONSHIP_LOG,
        _SCRAPE_REQUEST_LOG,
        _ORDER_LOG,
        _YT_ACTIVITY_LOG,
        _YT_PROFILE_RELATIONSHIP_LOG,
        _TRACE_LOG,
        _LAUNCH_REFER,
    )
}
