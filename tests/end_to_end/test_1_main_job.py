"""What a user sees of the main job: the demonstration's output, the published tables, events that come back."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

import pytest
from running_platform import RunningPlatform, profile_event, wait_until

from devstack.settings import SERVING_DATABASE, SERVING_STAGING_DATABASE

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

STEPS = (
    "synthetic world and its events",
    "the sinker empties the queues",
    "dbt_core",
    "dbt_recent_scl",
    "dbt_collections",
    "refresh_account_tracker_stats",
    "post_ranker",
    "dbt_hourly",
    "dbt_daily",
    "sync_leaderboard_prod",
    "sync_leaderboard_staging",
    "sync_insta_collection_posts",
    "sync_missing_journey",
)
CAMPAIGN_QUEUE = "campaign.JOURNEY_MIGRATION_FOR_UCA_Q"

COMPARED = (
    "month, platform, profile_platform, platform_id, followers, followers_rank, followers_change_rank, views_rank, "
    "plays_rank, last_month_ranks, current_month_ranks"
)


def test_demo_shows_three_boards_the_steps_and_where_to_look(platform: RunningPlatform) -> None:
    output = platform.demo.stdout
    boards, _, rest = output.partition("Leaderboard of ")[2].partition("\nSteps")
    assert [board for board in ("INSTAGRAM", "YOUTUBE", "ALL") if f"\n{board} " in boards] == [
        "INSTAGRAM",
        "YOUTUBE",
        "ALL",
    ]
    assert boards.count("\n") >= 15, "five rows each"
    assert [step for step in STEPS if f"\n{step}" not in rest] == []
    rows = platform.serving("select count(*) from leaderboard")[0][0]
    assert f"{rows:,} rows published" in rest
    for name in ("airflow-api", "slack", "beat", "sinker"):
        assert platform.services[name].address in rest
    for line in rest.splitlines():
        if line.startswith(("Alerts", "Beat", "Sinker")):
            address = line.split()[1]
            assert platform.http(address).status_code == 200, address


@pytest.mark.parametrize("database", [SERVING_DATABASE, SERVING_STAGING_DATABASE])
def test_the_published_leaderboard_equals_the_mart_row_by_row(platform: RunningPlatform, database: str) -> None:
    mart = {
        (datetime.combine(row[0], datetime.min.time()), *row[1:4]): row[4:]
        for row in platform.clickhouse(f"select {COMPARED} from dbt.mart_leaderboard")
    }
    published = {row[:4]: row[4:] for row in platform.serving(f"select {COMPARED} from leaderboard", database)}
    assert len(mart) > 10_000
    assert published.keys() == mart.keys()
    unlike = {key: (row, published[key]) for key, row in mart.items() if row != published[key]}
    assert unlike == {}


def test_the_ledger_names_the_generation_and_its_newest_event(platform: RunningPlatform) -> None:
    for database, name in ((SERVING_DATABASE, "prod"), (SERVING_STAGING_DATABASE, "staging")):
        entries = platform.serving(
            "select target, environment, action, rows, newest_event_at, table_oid from serving_ledger "
            "order by id desc limit 1",
            database,
        )
        rows, oid = platform.serving(
            "select count(*), 'leaderboard'::regclass::oid::bigint from leaderboard", database
        )[0]
        newest = platform.clickhouse(
            "select max(event_timestamp) from dbt.stg_beat_profile_log where insert_timestamp <= (select "
            "metadata_modification_time from system.tables where database = 'dbt' and name = 'mart_leaderboard')"
        )[0][0]
        assert entries == [("leaderboard", name, "publish", rows, newest.replace(tzinfo=UTC), oid)]


def test_requests_reach_beat_and_their_events_come_back(platform: RunningPlatform) -> None:
    asked = {request["id"] for request in platform.beat("/requests?limit=10000")["requests"]}
    assert asked
    assert set(platform.beat("/stats")["by_flow"]) == {"refresh_post_by_shortcode"}

    def not_ended() -> set[int]:
        found = platform.clickhouse(
            "select scl_id from _e.scrape_request_log_events where flow = 'refresh_post_by_shortcode' "
            "and status in ('COMPLETE', 'FAILED')"
        )
        return asked - {scl_id for (scl_id,) in found}

    try:
        wait_until(lambda: not not_ended(), 60, "every request's end is an event in ClickHouse")
    except AssertionError as error:
        error.add_note(f"no end of {sorted(not_ended())[:20]} of {len(asked)}; Beat: {platform.beat('/stats')}")
        error.add_note(f"{platform.depth('scrape_request_log_events_q')} events wait in RabbitMQ")
        raise
    posts = "select count() from _e.post_log_events where event_timestamp > now() - interval 30 minute"
    wait_until(lambda: platform.clickhouse(posts)[0][0], 30, "scraped posts came back")


def test_messages_wait_in_the_campaign_service_queue(platform: RunningPlatform) -> None:
    missing = platform.clickhouse(
        "select id from campaign_replica.user_campaign_application where active = 1 and id not in "
        "(select assumeNotNull(uca_id) from campaign_replica.user_campaign_journey where uca_id is not null)"
    )
    assert missing
    with platform.broker() as connection:
        channel = connection.channel()
        bodies = []
        while (message := channel.basic_get(CAMPAIGN_QUEUE))[0] is not None:
            bodies.append(int(message[2]))
    assert sorted(bodies) == sorted(row[0] for row in missing)  # closing the connection puts them back


def test_a_job_that_went_well_sends_no_alert(platform: RunningPlatform) -> None:
    assert platform.alerts() == []


def test_a_second_up_while_everything_runs_changes_nothing(platform: RunningPlatform) -> None:
    before = platform.pids()
    begun = time.monotonic()
    assert "Everything runs already." in platform.up()
    assert time.monotonic() - begun < 20
    assert platform.pids() == before


def test_a_fresh_follower_count_is_in_the_product_after_the_next_run_of_dbt_core(platform: RunningPlatform) -> None:
    profile_id, handle = platform.clickhouse(
        "select profile_id, any(handle) from dbt.stg_beat_profile_log where platform = 'INSTAGRAM' and handle != '' "
        "group by profile_id order by profile_id limit 1"
    )[0]
    now = datetime.now(UTC)
    event = profile_event(profile_id=profile_id, handle=handle, metrics={"followers": 987_654_321})
    platform.publish([event])
    wait_until(lambda: platform.stored(event["event_id"]), 30, "the sinker stores the event")

    run_id, state = platform.api.run("dbt_core", timeout=420)
    assert state == "success", platform.api.log("dbt_core", run_id, "dbt_run")
    shown = platform.clickhouse(
        "select followers, event_id from dbt.stg_beat_profile_log final "
        "where platform = 'INSTAGRAM' and profile_id = {profile:String} and date = {date:Date}",
        profile=profile_id,
        date=now.date(),
    )
    assert shown == [(987_654_321, event["event_id"])]
    published = platform.serving(
        "select followers from social_profile_core_metrics "
        f"where platform = 'INSTAGRAM' and profile_id = '{profile_id}'"
    )
    assert published == [(987_654_321,)]


def test_a_malformed_message_is_kept_apart_and_reported_and_the_next_one_is_stored(platform: RunningPlatform) -> None:
    mark = uuid.uuid4().hex
    good = profile_event()
    platform.publish([f'{{"event_id": "{mark}", "platform": "INSTAGRAM", '.encode(), good])
    wait_until(lambda: platform.stored(good["event_id"]), 30, "the good one is stored")
    assert platform.depth("profile_log_events_q.dead") == 1

    listing = platform.program("event_sinker", "dlq", "list", "--json")
    assert listing.returncode == 0, listing.stdout
    assert listing.stdout.count("\n") == 1
    assert '"event_type":"profile_log"' in listing.stdout
    assert '"reason":"broken_json"' in listing.stdout
    assert platform.depth("profile_log_events_q.dead") == 1, "listing takes nothing out"
    assert platform.stored(mark) == 0


def test_a_second_demo_publishes_a_new_generation_with_newer_events(platform: RunningPlatform) -> None:
    newest = "select max(id), (array_agg(newest_event_at order by id desc))[1] from serving_ledger"
    before = {name: platform.serving(newest, name)[0] for name in (SERVING_DATABASE, SERVING_STAGING_DATABASE)}
    again = platform.devstack("demo", "--size", "small")
    assert again.returncode == 0, again.stdout
    for database, (generation, newest_event_at) in before.items():
        after = platform.serving(newest, database)[0]
        assert after[0] > generation
        assert after[1] > newest_event_at
    test_the_published_leaderboard_equals_the_mart_row_by_row(platform, SERVING_DATABASE)
