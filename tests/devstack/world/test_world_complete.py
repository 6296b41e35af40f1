"""The small world as every model finds it: no table is empty, facts agree between tables, awkward cases are there."""

from __future__ import annotations

import pytest

from tests.devstack.world.conftest import AS_OF, DATABASES, StoredWorld

pytestmark = pytest.mark.integration

PROFILES = "SELECT ig_id FROM coffee_replica.view_instagram_account_lite"
CHANNELS = "SELECT channel_id FROM coffee_replica.view_youtube_account_lite"
POSTS = "SELECT shortcode FROM beat_replica.instagram_post_simple"
VIDEOS = "SELECT shortcode FROM beat_replica.youtube_post_simple"
BARE_SPONSOR_LINK = "replaceOne(JSONExtractString(ifNull(sponsor_links, ''), 1), 'https://', '')"

# Values of the first query that must all stand in the second.
MATCHES = {
    "followed profiles": ("SELECT target_profile_id FROM _e.profile_relationship_log_events", PROFILES),
    "relationships are stored twice": (
        "SELECT (source_profile_id, target_profile_id) FROM _e.profile_relationship_log_events",
        "SELECT (assumeNotNull(source_profile_id), assumeNotNull(target_profile_id))"
        " FROM beat_replica.profile_relationship_log",
    ),
    "predictions are of followers": (
        "SELECT toString(profile_id) FROM ds.instagram_prediction",
        "SELECT arrayJoin([source_profile_id, target_profile_id]) FROM beat_replica.profile_relationship_log",
    ),
    "fake analysis is of followers": (
        "SELECT follower_handle FROM ds.creator_followers_fake_analysis",
        "SELECT JSONExtractString(source_dimensions, 'handle') FROM beat_replica.profile_relationship_log",
    ),
    "comments": ("SELECT shortcode FROM _e.post_activity_log_events", f"{POSTS} UNION ALL {VIDEOS}"),
    "comments are stored twice": (
        "SELECT (shortcode, actor_profile_id, activity_type) FROM _e.post_activity_log_events",
        "SELECT (assumeNotNull(platform_post_id), ifNull(actor_profile_id, ''), assumeNotNull(activity_type))"
        " FROM beat_replica.post_activity_log",
    ),
    "moods are of comments": (
        "SELECT (shortcode, comment_id) FROM _e.sentiment_log_events",
        "SELECT (shortcode, JSONExtractString(dimensions, 'comment_id')) FROM _e.post_activity_log_events",
    ),
    "orders are stored twice": (
        "SELECT (platform_order_id, store) FROM _e.order_log_events",
        "SELECT (assumeNotNull(platform_order_id), assumeNotNull(store)) FROM beat_replica.`order`",
    ),
    "subscribers": ("SELECT source_channel_id FROM _e.yt_profile_relationship_log_events WHERE source_channel_id != ''",
                    CHANNELS),
    "staging's subscriptions are production's": (
        "SELECT relationship_id FROM _stage_e.yt_profile_relationship_log_events",
        "SELECT relationship_id FROM _e.yt_profile_relationship_log_events",
    ),
    "channel activities": ("SELECT actor_channel_id FROM _e.yt_activity_log_events", CHANNELS),
    "pictures of posts": ("SELECT entity_id FROM beat_replica.asset_log WHERE entity_type = 'POST'", POSTS),
    "submissions": (
        "SELECT short_code FROM campaign_replica.deliverable_submission WHERE short_code IS NOT NULL", POSTS
    ),
    "campaigns' collections": (
        "SELECT saas_collection_id FROM campaign_replica.campaign WHERE saas_collection_id IS NOT NULL",
        "SELECT id FROM coffee_replica.post_collection",
    ),
    "orders by link are of clicked links": (
        "SELECT link FROM campaign_replica.link_clicks_orders", "SELECT url FROM campaign_replica.link_clicks"
    ),
    "clicks that were written down": (
        "SELECT short_code FROM ds.campaign_post_links_clicks",
        "SELECT short_code FROM coffee_replica.post_collection_item",
    ),
    "staging's items": (
        "SELECT (id, short_code) FROM coffee_stage.post_collection_item",
        "SELECT (id, short_code) FROM coffee_replica.post_collection_item",
    ),
    "insights": ("SELECT profile_id FROM beat_replica.instagram_profile_insights", PROFILES),
    "insights as events": (
        "SELECT profile_id FROM _e.profile_log_events WHERE source = 'graphapi'"
        " AND JSONHas(dimensions, 'audience_city')",
        "SELECT profile_id FROM beat_replica.instagram_profile_insights",
    ),
    "channel insights": ("SELECT channel_id FROM beat_replica.youtube_profile_insights", CHANNELS),
    "survey of linked accounts": (
        "SELECT handle FROM ds.trinity_phase_two WHERE handle = lower(handle) AND handle != 'nobody.knows.this'",
        "SELECT handle FROM identity_replica.social_account",
    ),
    "eligible creators": (
        "SELECT account_id FROM campaign_replica.user_eligible_campaigns WHERE account_id IS NOT NULL",
        "SELECT account_id FROM identity_replica.social_account",
    ),
    "traced requests": (
        "SELECT extract(uri, 'v[13]/([a-z_]+)') FROM _e.trace_log_events",
        "SELECT flow FROM beat_replica.recent_scrape_request_log",
    ),
}  # fmt: skip

# Queries that must find something: each is a case that a model has to get right.
CASES = {
    "a launch through a creator's link": (
        "SELECT count() FROM _e.launch_refer_events WHERE splitByChar('?', dynamic_link)[1] IN (SELECT"
        " JSONExtractString(unique_link_data, 1, 'link') FROM campaign_replica.deliverable_shortlisted_user_link)"
    ),
    "a clicked sponsor link": (
        "SELECT count() FROM coffee_replica.post_collection_item"
        f" WHERE {BARE_SPONSOR_LINK} IN (SELECT url FROM campaign_replica.link_clicks)"
    ),
    "a sponsor link with orders and a query": (
        f"SELECT count() FROM coffee_replica.post_collection_item WHERE {BARE_SPONSOR_LINK} LIKE '%=%&%'"
        f" AND {BARE_SPONSOR_LINK} IN (SELECT link FROM campaign_replica.link_clicks_orders WHERE overall_orders > 0)"
    ),
    "a sponsor link nobody clicked": (
        f"SELECT count() FROM coffee_replica.post_collection_item WHERE {BARE_SPONSOR_LINK} LIKE 'gcc.li/%'"
        f" AND {BARE_SPONSOR_LINK} NOT IN (SELECT url FROM campaign_replica.link_clicks)"
    ),
    "a link that two posts share": (
        f"SELECT count() FROM (SELECT {BARE_SPONSOR_LINK} AS link FROM coffee_replica.post_collection_item"
        " WHERE link LIKE 'gcc.li/%' GROUP BY link HAVING uniqExact(short_code) > 1)"
    ),
    "a post twice in a collection": (
        "SELECT count() FROM (SELECT 1 FROM coffee_replica.post_collection_item WHERE short_code IS NOT NULL"
        " GROUP BY post_collection_id, short_code HAVING count() > 1)"
    ),
    "a post in two collections": (
        "SELECT count() FROM (SELECT 1 FROM coffee_replica.post_collection_item WHERE short_code IS NOT NULL"
        " GROUP BY short_code HAVING uniqExact(post_collection_id) > 1)"
    ),
    "videos, stories and placeholders in collections": (
        "SELECT uniqExact(platform, post_type, startsWith(short_code, 'story_dum_')) > 5"
        " FROM coffee_replica.post_collection_item"
    ),
    "a collected post and a video that were not read for days": (
        "SELECT uniqExact(platform) = 2 FROM (SELECT platform FROM _e.post_log_events GROUP BY platform, shortcode"
        " HAVING arrayMax(arrayDifference(arraySort(groupUniqArray(toUInt32(toDate(event_timestamp)))))) > 2)"
    ),
    "counters as text": (
        "SELECT count() FROM _e.post_log_events WHERE JSONType(metrics, 'likes') = 'String'"
    ),
    "counters that are 0 after they were not": (
        "SELECT count() FROM (SELECT shortcode FROM _e.post_log_events WHERE platform = 'INSTAGRAM' GROUP BY shortcode"
        " HAVING argMin(JSONExtractInt(metrics, 'likes'), event_timestamp) > 0"
        " AND countIf(metrics LIKE '%\"likes\":0%') > 0)"
    ),
    "insights of a collected post without an owner": (
        "SELECT count() FROM _e.post_log_events WHERE profile_id = 'TODO' AND JSONExtractInt(metrics, 'reach') > 0"
        " AND shortcode IN (SELECT assumeNotNull(short_code) FROM coffee_replica.post_collection_item"
        " WHERE short_code IS NOT NULL)"
    ),
    "a story that is gone": (
        "SELECT count() FROM _e.post_log_events WHERE source = ''"
        " AND JSONExtractString(dimensions, 'post_type') = 'story'"
    ),
    "insights of a story": "SELECT count() FROM _e.post_log_events WHERE JSONHas(metrics, 'tap_forward')",
    "tagged users in both spellings": (
        "SELECT least(countIf(dimensions LIKE '%\"user_tags\":[{\"user\":{\"username\"%'),"
        " countIf(dimensions LIKE '%\"user_tags\":[{\"username\"%')) FROM _e.post_log_events"
    ),
    "an empty list of tags and of places": (
        "SELECT least(countIf(dimensions LIKE '%\"user_tags\":[]%'), countIf(dimensions LIKE '%\"location\":[]%'),"
        " countIf(dimensions LIKE '%\"location\":\"\"%')) FROM _e.post_log_events"
    ),
    "places in India and abroad": (
        "SELECT least(countIf(endsWith(JSONExtractString(dimensions, 'location'), 'India')),"
        " countIf(endsWith(JSONExtractString(dimensions, 'location'), 'Nepal'))) FROM _e.post_log_events"
    ),
    "a place as an object": (
        "SELECT count() FROM _e.post_log_events WHERE JSONType(dimensions, 'location') = 'Object'"
    ),
    "every version of the prompt": (
        "SELECT uniqExact(source) = 3 FROM _e.profile_log_events WHERE startsWith(source, 'openapi_')"
    ),
    "an answer about a handle that nobody has": (
        "SELECT count() FROM _e.profile_log_events WHERE startsWith(source, 'openapi_profile_info_v0.11')"
        " AND profile_id NOT IN (SELECT assumeNotNull(handle) FROM beat_replica.instagram_account"
        " WHERE handle IS NOT NULL)"
    ),
    "a handle that was asked twice": (
        "SELECT count() FROM (SELECT 1 FROM _e.profile_log_events WHERE source = 'openapi_profile_info_v0.12'"
        " GROUP BY profile_id HAVING uniqExact(event_id) > 1)"
    ),
    "a large Indian profile that was never asked for its cities": (
        "SELECT count() FROM beat_replica.instagram_account WHERE followers >= 100000 AND assumeNotNull(handle) NOT IN"
        " (SELECT profile_id FROM _e.profile_log_events WHERE JSONHas(dimensions, 'audience_city'))"
    ),
    "fewer than five cities": (
        "SELECT count() FROM _e.profile_log_events WHERE source = 'openapi_profile_info_v0.11'"
        " AND JSONLength(dimensions, 'audience_city') BETWEEN 1 AND 4"
    ),
    "insights without any count, and without gender and age": (
        "SELECT least(countIf(audience_gender_age IS NULL), countIf(audience_city = '{}'))"
        " FROM beat_replica.instagram_profile_insights"
    ),
    "one city under two names": (
        "SELECT count() FROM beat_replica.instagram_profile_insights"
        " WHERE audience_city LIKE '%Aurangabad, B%Aurangabad, M%'"
    ),
    "views from a city with a blank and from nobody": (
        "SELECT count() FROM beat_replica.youtube_profile_insights"
        " WHERE city LIKE '%New Delhi%' AND city LIKE '%\"Nobody\":0%'"
    ),
    "more than 500 named followers of one profile": (
        "SELECT max(n) > 500 FROM (SELECT uniqExact(JSONExtractString(source_dimensions, 'handle')) AS n"
        " FROM beat_replica.profile_relationship_log WHERE JSONExtractString(source_dimensions, 'full_name') != ''"
        " GROUP BY target_profile_id)"
    ),
    "a follower that was read twice": (
        "SELECT count() FROM (SELECT 1 FROM beat_replica.profile_relationship_log"
        " GROUP BY source_profile_id, target_profile_id HAVING count() > 1)"
    ),
    "a notable follower": (
        "SELECT count() FROM beat_replica.profile_relationship_log"
        " WHERE JSONExtractString(source_dimensions, 'handle') IN"
        " (SELECT assumeNotNull(handle) FROM beat_replica.instagram_account WHERE followers > 100000)"
    ),
    "followers and followings": (
        "SELECT least(countIf(source_dimensions != '{}'), countIf(target_dimensions != '{}'))"
        " FROM beat_replica.profile_relationship_log"
    ),
    "a name that more than ten followers bear": (
        "SELECT count() FROM (SELECT 1 FROM ds.creator_followers_fake_analysis WHERE cleaned_name IS NOT NULL"
        " GROUP BY handle, cleaned_name HAVING uniqExact(follower_handle) > 10)"
    ),
    "weak fakes": "SELECT countIf(final_ = 0.33) FROM ds.creator_followers_fake_analysis",
    "an age on the border of a band": "SELECT countIf(age = 18) FROM ds.instagram_prediction",
    "half of the orders through the own campaigns": (
        "SELECT countIf(JSONExtractString(utm_params, 'source') = 'gcc') BETWEEN count() / 3 AND count() * 2 / 3"
        " FROM beat_replica.`order`"
    ),
    "orders in every state of delivery": (
        "SELECT uniqExact(ifNull(status, ''), JSONLength(order_data, 'fulfillments'),"
        " JSONExtractString(order_data, 'cancelled_at') != '') > 5 FROM beat_replica.`order`"
    ),
    "a fulfilment that is younger than a week": (
        "SELECT count() FROM beat_replica.`order` WHERE parseDateTimeBestEffortOrNull(JSONExtractString(order_data,"
        f" 'fulfillments', 1, 'created_at')) > toDateTime('{AS_OF:%Y-%m-%d %H:%M:%S}', 'UTC') - INTERVAL 7 DAY"
    ),
    "a pair of channels that was read twice": (
        "SELECT count() FROM (SELECT 1 FROM _e.yt_profile_relationship_log_events"
        " GROUP BY source_channel_id, target_channel_id HAVING uniqExact(event_id) > 1)"
    ),
    "an unknown subscriber": "SELECT countIf(source_channel_id = '') FROM _e.yt_profile_relationship_log_events",
    "subscriptions within and before four days": (
        f"SELECT least(countIf(event_timestamp >= toDateTime('{AS_OF:%Y-%m-%d %H:%M:%S}') - INTERVAL 4 DAY),"
        f" countIf(event_timestamp < toDateTime('{AS_OF:%Y-%m-%d %H:%M:%S}') - INTERVAL 4 DAY))"
        " FROM _e.yt_profile_relationship_log_events"
    ),
    "a comment without an author, and a like without a time": (
        "SELECT least(countIf(actor_profile_id = ''), countIf(publish_time IS NULL)) FROM _e.post_activity_log_events"
    ),
    "both platforms in both kinds of collections of both environments": (
        "SELECT arrayMin([(SELECT uniqExact(platform) FROM coffee_replica.post_collection_item),"
        " (SELECT uniqExact(platform) FROM coffee_replica.profile_collection_item),"
        " (SELECT uniqExact(platform) FROM coffee_stage.post_collection_item),"
        " (SELECT uniqExact(platform) FROM coffee_stage.profile_collection_item WHERE shortlist_id IS NULL)]) = 2"
    ),
    "every flow that a model or DAG asks about": (
        "SELECT uniqExact(flow) > 30 FROM beat_replica.recent_scrape_request_log"
    ),
    "transient failures": (
        "SELECT least(countIf(startsWith(data, '(204')), countIf(startsWith(data, '(409'))) > 0"
        " FROM beat_replica.recent_scrape_request_log WHERE status = 'FAILED'"
    ),
    "a linked account on each platform, and one that is not linked": (
        "SELECT uniqExact(platform) = 2 AND countIf(ifNull(account_id, 0) = 0) > 0 FROM identity_replica.social_account"
    ),
    "a handle with two linked accounts": (
        "SELECT count() FROM (SELECT 1 FROM identity_replica.social_account"
        " WHERE platform = 'INSTAGRAM' AND account_id > 0"
        " GROUP BY handle HAVING count() > 1)"
    ),
    "keyword research with and without a report": (
        "SELECT least(countIf(report_path IS NULL AND enabled = 1), countIf(report_path IS NOT NULL))"
        " FROM coffee_replica.keyword_collection"
    ),
    "user agents of phones, browsers and bots": (
        "SELECT uniqExact(bot, mobile, os_name) > 3 FROM _e.launch_refer_events"
    ),
}  # fmt: skip


def test_no_source_table_and_no_event_table_is_empty(stored: StoredWorld) -> None:
    empty = [table for table in stored.tables() if stored.number(f"SELECT count() FROM {table}") == 0]
    assert empty == []
    assert {table.split(".")[0] for table in stored.tables()} == set(DATABASES)


@pytest.mark.parametrize("name", MATCHES)
def test_facts_agree_between_tables(stored: StoredWorld, name: str) -> None:
    inner, outer = MATCHES[name]
    assert stored.number(f"SELECT count() FROM ({inner})") > 0
    known = {value for (value,) in stored.rows(outer)}
    assert [value for (value,) in stored.rows(inner) if value not in known] == []


@pytest.mark.parametrize("name", CASES)
def test_awkward_cases_are_there(stored: StoredWorld, name: str) -> None:
    assert stored.number(CASES[name]) > 0


def test_nothing_is_younger_than_the_world(stored: StoredWorld) -> None:
    columns = stored.rows(
        f"SELECT database, table, name FROM system.columns WHERE database IN {DATABASES} AND type LIKE '%DateTime%'"
        " AND name NOT IN ('expires_at', 'campaign_start_time', 'campaign_end_time', 'challenge_end_time')"
    )
    moment = f"toDateTime('{AS_OF:%Y-%m-%d %H:%M:%S}', 'UTC')"
    younger = [
        f"{database}.{table}.{name}"
        for database, table, name in columns
        if stored.number(f"SELECT countIf(`{name}` > {moment}) FROM {database}.`{table}`")
    ]
    assert younger == []


def test_a_second_load_writes_the_same_rows(stored: StoredWorld) -> None:
    before = stored.checksums()
    stored.load()
    after = stored.checksums()
    assert {table for table in before if before[table] != after[table]} == set()


@pytest.mark.parametrize(
    ("table", "column", "shape"),
    [
        ("beat_replica.instagram_profile_insights", "audience_gender_age",
         "Tuple(male Map(String, UInt64), female Map(String, UInt64), uncategorized Map(String, UInt64))"),
        ("beat_replica.instagram_profile_insights", "audience_country", "Map(String, UInt64)"),
        ("beat_replica.youtube_profile_insights", "city", "Map(String, UInt64)"),
        ("coffee_replica.post_collection_item", "sponsor_links", "Array(String)"),
        ("campaign_replica.deliverable_shortlisted_user_link", "unique_link_data",
         "Array(Tuple(link String, type String))"),
        ("beat_replica.profile_log", "dimensions", "Array(Tuple(key String, value String))"),
        ("beat_replica.post_activity_log", "metrics", "Array(Tuple(key String, value String))"),
    ],
)  # fmt: skip
def test_json_columns_have_the_shape_that_readers_expect(
    stored: StoredWorld, table: str, column: str, shape: str
) -> None:
    valid = f"countIf(isValidJSON({column})), countIf({column} IS NOT NULL)"
    assert len(set(stored.rows(f"SELECT {valid} FROM {table}")[0])) == 1
    assert stored.number(
        f"SELECT countIf(notEmpty(toString(JSONExtract(assumeNotNull({column}), '{shape}')))) FROM {table}"
    )
