"""The DAGs of which there is one of a kind, each by what it is for."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import httpx
import pytest
from dag_sweep import Sweep, described, run_all, succeeded
from running_platform import RunningPlatform, wait_until
from stir.crm_event import CrmEventSource, User, dumped
from stir.search_scroll import SearchServer

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3600)]

INDEX = "youtube_channels_api"


def test_the_channel_directory_is_that_of_the_search_server(platform: RunningPlatform, sweep: Sweep) -> None:
    page = succeeded(platform, sweep, "sync_vidooly_es_youtube_channels").returned["import_index"]
    indian = {"term": {"snippet.country": "IN"}}
    fields = ["id", "snippet", "statistics", "last_updated"]
    with SearchServer(f"{platform.services['partners'].address}/search") as server:
        documents = [
            document["_source"]
            for found in server.scroll(INDEX, indian, fields, page_size=1000)
            for document in found.documents
        ]
    expected = {
        (
            *(document["id"], document["snippet"]["title"], document["snippet"].get("customUrl")),
            *(document["snippet"]["publishedAt"], document["snippet"]["thumbnails"]["default"]["url"]),
            *(document["statistics"]["videoCount"], document["statistics"]["viewCount"]),
            *(document["statistics"]["subscriberCount"], int(document["statistics"]["hiddenSubscriberCount"])),
            document["last_updated"],
        )
        for document in documents
    }
    stored = platform.clickhouse(
        "select id, title, custom_url, published_at, thumbnail, video_count, view_count, subscriber_count, "
        "hidden_subscriber, last_updated_at from vidooly.youtube_channels where load_date = {day:Date}",
        day=page["load_date"],
    )
    assert set(stored) == expected
    assert len(stored) == len(documents) == page["rows"] > 0


def test_the_search_server_has_more_than_is_imported(platform: RunningPlatform, sweep: Sweep) -> None:
    succeeded(platform, sweep, "sync_vidooly_es_youtube_channels")
    address = f"{platform.services['partners'].address}/search/{INDEX}/_count"
    count = httpx.get(address, timeout=10).json()["count"]
    assert count > sweep.outcomes["sync_vidooly_es_youtube_channels"].returned["import_index"]["documents"]


def test_the_crm_gets_the_invitations_that_are_due(
    platform: RunningPlatform, sweep: Sweep, declared_dags: dict[str, Any]
) -> None:
    outcome = succeeded(platform, sweep, "crm_recommendation_invitation")
    arrived = platform.crm_events()[sweep.crm_events :]
    (source,) = (task.op_kwargs["source"] for task in declared_dags["crm_recommendation_invitation"].tasks)
    assert all(event["eventTime"].isdigit() for event in arrived)
    assert by_user(arrived) == by_user(invitations(platform, source))
    assert outcome.total("sent") == len(arrived) > 0


def invitations(platform: RunningPlatform, source: CrmEventSource) -> list[dict[str, Any]]:
    """One event for each user who is known to the CRM and to whom something can be offered."""
    query = source.candidates.read_text().strip().rstrip(";") % {"after": -1, "page_size": 1_000_000}
    users = [User.of(list(rows)) for _, rows in groupby(platform.rows(query), key=lambda row: row["cp_id"])]
    due: dict[str, dict[str, Any]] = {}
    for user in users:
        if user.account_id and user.user_id and user.offers and user.user_id not in due:
            due[user.user_id] = json.loads(dumped(source.event(user, platform.clickhouse("select now()")[0][0])))
    return list(due.values())


def by_user(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Events by whom they are for, without their times."""
    return {event["userId"]: {key: value for key, value in event.items() if key != "eventTime"} for event in events}


def test_a_request_that_hung_is_taken_up_again(platform: RunningPlatform, sweep: Sweep) -> None:
    succeeded(platform, sweep, "retry_yt_scrape_events")
    tries = "select max(retry_count) from _e.scrape_request_log_events where scl_id = {id:UInt64}"
    wait_until(
        lambda: platform.clickhouse(tries, id=sweep.hanging_request)[0][0] >= 2, 60, "Beat tells of a second try"
    )


def test_the_check_of_slack_sends_one_message(platform: RunningPlatform, sweep: Sweep) -> None:
    succeeded(platform, sweep, "slack_connection")
    assert len(platform.alerts()) == sweep.alerts + 1, platform.alerts()[sweep.alerts :]


def test_housekeeping_removes_what_is_older_than_any_run(platform: RunningPlatform, sweep: Sweep) -> None:
    outcome = succeeded(platform, sweep, "cleanup_serving_artifacts")
    planted = sweep.planted
    assert set(outcome.tasks.values()) == {"success"}
    assert outcome.returned["clean_database_prod"]["dropped"] == [planted.old_table]
    assert outcome.returned["clean_database_prod"]["bytes"]["leaderboard"] > 0
    assert planted.tables_left(platform) == {planted.young_table}
    assert (planted.old_file.exists(), planted.young_file.exists()) == (False, True)
    assert planted.object_left(platform)
    planted.remove(platform)


def test_a_model_is_built_by_hand(platform: RunningPlatform, sweep: Sweep) -> None:
    outcome = succeeded(platform, sweep, "dbt_manual")
    page = outcome.returned["other_tiers"]
    assert page["failed"] == []
    assert "mart_gcc_orders" in page["slowest"], described(platform, "dbt_manual", outcome)


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
