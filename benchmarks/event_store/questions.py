"""The questions that all stores are asked, in the SQL of each, and the fastest statements that were found."""

# ruff: noqa: S608 -- SQL is built from constants

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 30  # days


@dataclass(frozen=True)
class Question:
    """One query over {table} in both dialects, with the placeholders that both clients share."""

    label: str
    clickhouse: str
    postgres: str
    postgres_b: str = ""  # where the good index is missing and another way is faster


IN_WINDOW = "FROM {table} WHERE event_timestamp >= %(since)s"
OF_PROFILE = f"{IN_WINDOW} AND platform = %(platform)s AND profile_id = %(profile)s"
HISTORY = Question(
    f"{WINDOW}-day history of one profile",
    "SELECT toDate(event_timestamp) AS day, JSONExtractInt(argMax(metrics, event_timestamp), 'followers') "
    f"{OF_PROFILE} GROUP BY day",
    "SELECT DISTINCT ON (event_timestamp::date) event_timestamp::date AS day, (metrics->>'followers')::bigint "
    f"{OF_PROFILE} ORDER BY event_timestamp::date, event_timestamp DESC",
)
GROWTH = Question(
    f"{WINDOW}-day growth of all profiles, as usually written",
    "SELECT platform, profile_id, argMin(JSONExtractInt(metrics, 'followers'), event_timestamp) AS earlier, "
    "argMax(JSONExtractInt(metrics, 'followers'), event_timestamp) AS later, later - earlier "
    f"{IN_WINDOW} GROUP BY platform, profile_id",
    "SELECT platform, profile_id, earlier, later, later - earlier FROM (SELECT platform, profile_id, row_number() OVER "
    "spans AS place, first_value((metrics->>'followers')::bigint) OVER spans AS earlier, "
    f"last_value((metrics->>'followers')::bigint) OVER spans AS later {IN_WINDOW} WINDOW spans AS (PARTITION BY "
    "platform, profile_id ORDER BY event_timestamp RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS "
    "numbered WHERE place = 1",
)
# The fastest statements that were found. clickhouse: a JSON reader for flat, compact objects, which the sinker stores.
# a: the ends of the window by an index-only scan, then two look-ups a profile. b: parallel aggregation of pairs.
GROWTH_TUNED = Question(
    f"{WINDOW}-day growth of all profiles, each tuned by hand",
    GROWTH.clickhouse.replace("JSONExtractInt", "simpleJSONExtractInt"),
    "WITH ends AS (SELECT platform, profile_id, min(event_timestamp) AS start, max(event_timestamp) AS stop "
    f"{IN_WINDOW} GROUP BY platform, profile_id), found AS (SELECT ends.platform, ends.profile_id, "
    "(first.metrics->>'followers')::bigint AS earlier, (last.metrics->>'followers')::bigint AS later FROM ends "
    "JOIN {table} AS first ON (first.platform, first.profile_id, first.event_timestamp) "
    "= (ends.platform, ends.profile_id, start) JOIN {table} AS last ON (last.platform, last.profile_id, "
    "last.event_timestamp) = (ends.platform, ends.profile_id, stop)) SELECT *, later - earlier FROM found",
    "SELECT platform, profile_id, earlier[2], later[2], later[2] - earlier[2] FROM (SELECT platform, profile_id, "
    "min(pair) AS earlier, max(pair) AS later FROM (SELECT platform, profile_id, array[extract(epoch FROM "
    f"event_timestamp)::bigint, (metrics->>'followers')::bigint] AS pair {IN_WINDOW}) AS pairs "
    "GROUP BY platform, profile_id) AS ends",
)
PER_DAY = Question(
    "events per day and platform, all time",
    "SELECT toDate(event_timestamp) AS day, platform, count() FROM {table} GROUP BY day, platform",
    "SELECT event_timestamp::date AS day, platform, count(*) FROM {table} GROUP BY day, platform",
)
