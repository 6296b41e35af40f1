"""Rows and events that make work due for the DAGs that find nothing to do in a world as it is loaded."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from running_platform import RunningPlatform, wait_until

from tests.event_sinker.sample_events import sample_event


def before_the_tiers(platform: RunningPlatform) -> None:
    """Rows of the replicas: the tiers bring them into the staging models."""
    story, reel = _number(), f"due{uuid.uuid4().hex[:8]}"
    profile_id, handle = platform.clickhouse(
        "select profile_id, handle from beat_replica.instagram_account where handle in (select handle from "
        "beat_replica.credential where source = 'graphapi' and enabled = 1) order by id limit 1"
    )[0]
    items = "select max(id) from coffee_replica.post_collection_item"
    for place, (code, kind) in enumerate(((story, "story"), (reel, "reels")), start=1):
        platform.clickhouse(
            "insert into coffee_replica.post_collection_item select * replace "
            f"(({items}) + {place} as id, '{code}' as short_code, '{kind}' as post_type, 'INSTAGRAM' as platform, "
            f"'{handle}' as posted_by_handle, now64(6) as created_at, now64(6) as updated_at) "
            "from coffee_replica.post_collection_item order by id limit 1"
        )
    platform.clickhouse(
        "insert into beat_replica.instagram_post_simple select * replace "
        f"((select max(id) from beat_replica.instagram_post_simple) + 1 as id, '{_number()}_{profile_id}' as post_id, "
        f"'{_number()}' as shortcode, '{profile_id}' as profile_id, '{handle}' as handle, 'story' as post_type, "
        "now() as publish_time, now64(6) as created_at, now64(6) as updated_at) "
        "from beat_replica.instagram_post_simple where post_type = 'story' order by id limit 1"
    )
    platform.clickhouse(
        "insert into beat_replica.profile_relationship_log select * replace "
        "((select max(id) from beat_replica.profile_relationship_log) + 1 as id, "
        f"'{_number()}' as source_profile_id, '{{}}' as target_dimensions, "
        '\'{"handle":"seen_lately","profile_pic_url":"https://pictures.example/seen_lately.jpg"}\' '
        "as source_dimensions, now64(6) as timestamp) "
        "from beat_replica.profile_relationship_log where platform = 'INSTAGRAM' order by id limit 1"
    )
    platform.clickhouse(
        "insert into campaign_replica.user_campaign_application select * replace "
        "((select max(id) from campaign_replica.user_campaign_application) + 1 as id, 1 as active) "
        "from campaign_replica.user_campaign_application order by id limit 1"
    )


def after_the_tiers(platform: RunningPlatform) -> None:
    """Entries of the lists that people keep as seeds, and events of now."""
    for statement in (
        "insert into dbt.critical_youtube_channels "
        "select distinct channel_id from beat_replica.youtube_account order by channel_id limit 2",
        "insert into dbt.comment_partners "
        "select distinct assumeNotNull(partner_id) from dbt.stg_coffee_post_collection where partner_id is not null",
        "insert into dbt.tracked_hashtags values ('diwali')",
        "insert into dbt.refreshed_collections select distinct collection_id from dbt.mart_collection_post",
    ):
        platform.clickhouse(statement)
    code = platform.clickhouse(
        "select any(short_code) from dbt.stg_coffee_post_collection_item where platform = 'INSTAGRAM' "
        "and post_type = 'reels' and post_collection_id in (select id from dbt.stg_coffee_post_collection)"
    )[0][0]
    story = _number()
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    picture = {"post_type": "story", "thumbnail_src": f"https://pictures.example/{story}.jpg"}
    platform.publish([sample_event("post_log", shortcode=story, dimensions=picture)], "post_log")
    comment = {"activity_type": "COMMENT", "shortcode": code, "publish_time": now, "dimensions": {"comment_id": story}}
    platform.publish([sample_event("post_activity_log", **comment)], "post_activity_log")
    for table, column, value in (("post_log", "shortcode", story), ("post_activity_log", "shortcode", code)):
        stored = f"select count() from _e.{table}_events where {column} = '{value}' and event_timestamp > now() - 600"
        wait_until(lambda stored=stored: platform.clickhouse(stored)[0][0], 60, f"{table} event is stored")


def a_request_that_hangs(platform: RunningPlatform) -> int:
    """A YouTube request that Beat took up three hours ago and never ends, as its events tell; its id."""
    platform.beat_faults(stuck=1.0)
    try:
        scrape_id = platform.beat_request("refresh_yt_profiles", "YOUTUBE", {"channel_ids": ["UChangs"]})
        events = f"from _e.scrape_request_log_events where scl_id = {scrape_id}"
        taken_up = f"select count() {events} and status = 'PROCESSING'"
        wait_until(lambda: platform.clickhouse(taken_up)[0][0], 60, "Beat takes the request up")
    finally:
        platform.beat_faults()
    platform.clickhouse(
        "insert into _e.scrape_request_log_events "
        f"select * replace (event_timestamp - 10800 as event_timestamp) {events}"
    )
    platform.clickhouse(
        f"alter table _e.scrape_request_log_events delete where scl_id = {scrape_id} "
        "and event_timestamp > now() - 3600 settings mutations_sync = 1"
    )
    return scrape_id


def _number() -> str:
    """A new id of digits only, as stories and profiles have it."""
    return str(4_000_000_000_000 + uuid.uuid4().int % 1_000_000_000_000)
