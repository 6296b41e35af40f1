"""Every DAG of the inventory runs once through the scheduler, and what it is for has happened.

All runs are made by one fixture, first the dbt tiers and then everything else at once, as at a busy midnight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from dag_sweep import Outcome, Sweep, described, run_all
from due_candidates import a_request_that_hangs, after_the_tiers, before_the_tiers
from neighbour_servers import Neighbours, neighbours
from running_platform import RunningPlatform, wait_until

from tests.dags.dag_inventory import SCHEDULE_VARIABLES, SCHEDULES

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]

CHANNELS = 200  # more than the world has of the day before, or the import refuses them

TIERS = (
    *("dbt_core", "dbt_recent_scl", "dbt_collections", "dbt_staging_collections", "refresh_account_tracker_stats"),
    *("post_ranker", "post_ranker_partial", "dbt_hourly", "dbt_gcc_orders", "dbt_daily", "dbt_weekly"),
)
SYNCS = {
    "sync_collection_hashtags_prod": "collection_hashtag",
    "sync_collection_keywords_prod": "collection_keyword",
    "sync_collection_post_summary_prod": "collection_post_metrics_summary",
    "sync_collection_post_summary_staging": "collection_post_metrics_summary",
    "sync_collection_post_ts_prod": "collection_post_metrics_ts",
    "sync_collection_post_ts_staging": "collection_post_metrics_ts",
    "sync_genre_overview_prod": "genre_overview",
    "sync_genre_overview_staging": "genre_overview",
    "sync_group_metrics_prod": "group_metrics",
    "sync_hashtags_prod": "social_profile_hashtags",
    "sync_leaderboard_prod": "leaderboard",
    "sync_leaderboard_staging": "leaderboard",
    "sync_time_series_prod": "social_profile_time_series",
    "sync_time_series_staging": "social_profile_time_series",
    "sync_trending_content_prod": "trending_content",
    "sync_trending_content_staging": "trending_content",
}
GPT = "refresh_instagram_gpt_data"
FLOWS = {
    "sync_g3_collection_posts": "refresh_post_by_shortcode",
    "sync_insta_collection_posts": "refresh_post_by_shortcode",
    "sync_insta_collection_stories": "refresh_story_posts_by_profile_id",
    "sync_insta_post_comments": "fetch_post_comments",
    "sync_insta_post_insights": "refresh_post_insights",
    "sync_insta_profile_followers": "fetch_profile_followers",
    "sync_insta_profile_following": "fetch_profile_following",
    "sync_insta_profile_insights": "refresh_profile_insights",
    "sync_insta_profiles_by_handle": "refresh_profile_by_handle",
    "sync_insta_stories": "refresh_stories_posts",
    "sync_insta_stories_explicitly": "refresh_story_posts_by_profile_id",
    "sync_insta_story_insights": "refresh_story_insights",
    "sync_instagram_gpt_data_audience_age_gender": f"{GPT}_audience_age_gender",
    "sync_instagram_gpt_data_audience_cities": f"{GPT}_audience_cities",
    "sync_instagram_gpt_data_base_categ_lang_topics": f"{GPT}_base_categ_lang_topics",
    "sync_instagram_gpt_data_base_gender": f"{GPT}_base_gender",
    "sync_instagram_gpt_data_base_location": f"{GPT}_base_location",
    "sync_instagram_gpt_data_gender_location_lang": f"{GPT}_gender_location_lang",
    "sync_shopify_orders": "refresh_orders_by_store",
    "sync_yt_channels": "refresh_yt_profiles",
    "sync_yt_collection_posts": "refresh_yt_posts",
    "sync_yt_critical_daily": "refresh_yt_profiles",
    "sync_yt_genre_videos": "refresh_yt_posts_by_genre",
    "sync_yt_post_comments": "fetch_yt_post_comments",
    "sync_yt_post_type": "refresh_yt_post_type",
    "sync_yt_profile_insights": "refresh_yt_profile_insights",
    "sync_yt_profile_relationship_by_channel_id": "refresh_yt_profile_relationship",
    "sync_yt_profiles_by_handle": "refresh_yt_profiles",
    "sync_yt_profiles_videos_by_handle": "refresh_yt_posts_by_playlist_id",
    "track_hashtags": "fetch_hashtag_posts",
    "upload_insta_profile_asset": "asset_upload_flow",
    "upload_post_asset": "asset_upload_flow",
    "upload_post_asset_stories": "asset_upload_flow_stories",
    "upload_profile_relationship_asset": "asset_upload_flow",
}
"""The flow that each DAG asks for at Beat."""
CAMPAIGN = "campaign."
QUEUES = {
    "create_payout_for_active_su_if_not_present": f"{CAMPAIGN}CREATE_PAYOUT_FOR_SU_IF_ALREADY_NOT_EXIST_Q",
    "mark_campaign_completed_on_refer_launch": f"{CAMPAIGN}HANDLE_SUBMISSION_FOR_REFERRAL_CAMPAIGN_SU_Q",
    "sync_final_post_submitted_for_cp": f"{CAMPAIGN}SYNC_POST_CREATION_FOR_CP_WITH_IDENTITY_Q",
    "sync_missing_journey": f"{CAMPAIGN}JOURNEY_MIGRATION_FOR_UCA_Q",
    "sync_post_with_saas_again": f"{CAMPAIGN}SYNC_POST_DATA_WITH_SAAS_Q",
    "uca_su_saas_item_sync": f"{CAMPAIGN}SYNC_UCA_WITH_SAAS_AS_PROFILE_ITEM_Q",
    "upload_handle_verification": f"{CAMPAIGN}handle_verification_q",
    "sync_keyword_collection_report": "keyword_collection_q",
    "sync_post_collection_sentiment_report_path": "sentiment_collection_report_in_q",
    "upload_content_verification": "content_match_q",
}
"""The queue that each DAG's messages end in."""
OTHERS = {
    "cleanup_serving_artifacts": {},
    "crm_recommendation_invitation": {},
    "dbt_manual": {"select": "mart_genre_overview"},
    "retry_yt_scrape_events": {},
    "slack_connection": {},
    "sync_vidooly_es_youtube_channels": {},
}
"""DAGs of which there is one of a kind, with the form of their run. `rollback_serving_table` has a test of its own."""


@pytest.fixture(scope="module")
def others(platform: RunningPlatform) -> Iterator[Neighbours]:
    """Servers that the stack does not have, and the connections to them."""
    with neighbours(CHANNELS) as running:
        for name, url in (("vidooly_search", running.search.url), ("crm_events", running.crm_url)):
            platform.api.add_connection({"connection_id": name, "conn_type": "generic", "host": url})
        yield running
        for name in ("vidooly_search", "crm_events"):
            platform.api.remove_connection(name)


@pytest.fixture(scope="module")
def sweep(platform: RunningPlatform, others: Neighbours) -> Sweep:
    """Every DAG has run."""
    before_the_tiers(platform)
    tiers = run_all(platform, [(dag_id, {}) for dag_id in TIERS])
    after_the_tiers(platform)
    found = Sweep(
        hanging_request=a_request_that_hangs(platform),
        newest_request=platform.newest_beat_request(),
        alerts=len(platform.alerts()),
        depths={queue: platform.depth(queue) if platform.has_queue(queue) else 0 for queue in QUEUES.values()},
    )
    rest = {dag_id: {} for dag_id in (*SYNCS, *FLOWS, *QUEUES)} | OTHERS
    found.outcomes = tiers | run_all(platform, rest.items())
    return found


def succeeded(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> Outcome:
    outcome = sweep.outcomes[dag_id]
    assert outcome.state == "success", described(platform, dag_id, outcome)
    return outcome


def test_no_dag_is_left_out(platform: RunningPlatform) -> None:
    here = {*TIERS, *SYNCS, *FLOWS, *QUEUES, *OTHERS, "rollback_serving_table"}
    of_another_test = {"sleeps_beyond_its_limit"}  # its file is gone, Airflow forgets it a while later
    assert here == platform.api.dag_ids() - of_another_test
    assert here - {"rollback_serving_table", "dbt_manual"} == {*SCHEDULES, *SCHEDULE_VARIABLES}


@pytest.mark.parametrize("dag_id", TIERS)
def test_a_tier_builds_its_models(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    built = succeeded(platform, sweep, dag_id).returned["dbt_run"]
    assert built["models"] > 0
    assert built["failed"] == []
    assert built["counts"] == {"success": built["models"]}


@pytest.mark.parametrize("dag_id", SYNCS)
def test_a_sync_publishes_its_table(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    database = "serving_staging" if dag_id.endswith("_staging") else "serving"
    published = platform.serving(
        f"select action, rows, target from serving_ledger where dag_id = '{dag_id}' and run_id = '{outcome.run_id}'",
        database,
    )
    rows = platform.serving(f"select count(*) from {SYNCS[dag_id]}", database)[0][0]
    assert published == [("publish", rows, SYNCS[dag_id])], described(platform, dag_id, outcome)
    assert rows > 0


@pytest.mark.parametrize("dag_id", FLOWS)
def test_a_scrape_request_reaches_beat(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    assert outcome.total("sent") > 0, described(platform, dag_id, outcome)
    assert outcome.total("refused") == outcome.total("failed") == outcome.total("not_tried") == 0
    flow = FLOWS[dag_id]
    arrived = platform.beat(f"/requests?flow={flow}&after={sweep.newest_request}&limit=10000")["requests"]
    assert arrived
    assert all(request["params"] for request in arrived)


def test_beat_got_every_request_that_was_sent(platform: RunningPlatform, sweep: Sweep) -> None:
    """Flow by flow; the profiles behind new stories are asked for by the same DAG as the stories.

    Beat asks itself for more of some: what it scrapes has pictures that it copies.
    """
    sent: Counter[str] = Counter()
    for dag_id, flow in FLOWS.items():
        for task_id, page in sweep.outcomes[dag_id].returned.items():
            sent["refresh_profile_by_handle" if task_id == "refresh_profiles" else flow] += page["sent"]
    arrived = Counter(request["flow"] for request in platform.beat_requests(sweep.newest_request))
    assert +(sent - arrived) == Counter(), arrived


@pytest.mark.parametrize("dag_id", QUEUES)
def test_messages_wait_in_their_queue(platform: RunningPlatform, sweep: Sweep, dag_id: str) -> None:
    outcome = succeeded(platform, sweep, dag_id)
    published = outcome.total("published")
    assert published > 0, described(platform, dag_id, outcome)
    assert platform.depth(QUEUES[dag_id]) == sweep.depths[QUEUES[dag_id]] + published


def test_the_channel_directory_is_loaded(platform: RunningPlatform, sweep: Sweep) -> None:
    page = succeeded(platform, sweep, "sync_vidooly_es_youtube_channels").returned["import_index"]
    assert page["rows"] == CHANNELS
    stored = "select count(), uniqExact(id) from vidooly.youtube_channels where load_date = {day:Date}"
    assert platform.clickhouse(stored, day=page["load_date"]) == [(CHANNELS, CHANNELS)]


def test_the_crm_gets_invitations(platform: RunningPlatform, sweep: Sweep, others: Neighbours) -> None:
    outcome = succeeded(platform, sweep, "crm_recommendation_invitation")
    assert outcome.total("sent") == len(others.crm_events) > 0
    assert {event["eventName"] for event in others.crm_events} == {"Final Campaign Recommendation"}


def test_a_request_that_hung_is_taken_up_again(platform: RunningPlatform, sweep: Sweep) -> None:
    succeeded(platform, sweep, "retry_yt_scrape_events")
    tries = "select max(retry_count) from _e.scrape_request_log_events where scl_id = {id:UInt64}"
    wait_until(
        lambda: platform.clickhouse(tries, id=sweep.hanging_request)[0][0] >= 2, 60, "Beat tells of a second try"
    )


def test_the_check_of_slack_sends_one_message(platform: RunningPlatform, sweep: Sweep) -> None:
    succeeded(platform, sweep, "slack_connection")
    assert len(platform.alerts()) == sweep.alerts + 1, platform.alerts()[sweep.alerts :]


def test_housekeeping_looks_after_both_databases(platform: RunningPlatform, sweep: Sweep) -> None:
    outcome = succeeded(platform, sweep, "cleanup_serving_artifacts")
    assert set(outcome.tasks.values()) == {"success"}
    assert outcome.returned["clean_database_prod"]["bytes"]["leaderboard"] > 0


def test_a_model_is_built_by_hand(platform: RunningPlatform, sweep: Sweep) -> None:
    outcome = succeeded(platform, sweep, "dbt_manual")
    page = outcome.returned["other_tiers"]
    assert page["failed"] == []
    assert "mart_genre_overview" in page["slowest"], described(platform, "dbt_manual", outcome)


def test_a_rollback_puts_the_previous_generation_back(platform: RunningPlatform, sweep: Sweep) -> None:
    def generations() -> tuple[int, int]:
        return platform.serving(
            "select 'leaderboard'::regclass::oid::bigint, 'leaderboard_old_bkp'::regclass::oid::bigint"
        )[0]

    live, previous = generations()
    form = {"table": "leaderboard", "environment": "prod"}
    outcome = run_all(platform, [("rollback_serving_table", form)])["rollback_serving_table"]
    assert outcome.state == "success", described(platform, "rollback_serving_table", outcome)
    assert generations() == (previous, live)
