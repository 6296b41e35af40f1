"""The simulator over real HTTP, with a real broker and ClickHouse: quirks, life cycle, events, outages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import orjson
import pika
import pytest
from clickhouse_connect.driver.client import Client

from devstack.beat import broker
from devstack.clickhouse.process import free_port
from devstack.environment import environment
from devstack.services import ClickHouseService, RabbitmqService
from devstack.settings import REPOSITORY
from event_sinker.events import EVENT_TYPES
from schema import clickhouse_sources
from schema.connections import clickhouse_address, connect_clickhouse

pytestmark = pytest.mark.integration
CREATE = "/scrape_request_log/flow/ignored"


@pytest.fixture(scope="module")
def variables(clickhouse_service: ClickHouseService, rabbitmq_service: RabbitmqService) -> dict[str, str]:
    return os.environ | environment(clickhouse_service.settings, clickhouse_service.secrets)


@pytest.fixture(scope="module")
def clickhouse(variables: dict[str, str]) -> Iterator[Client]:
    client = connect_clickhouse(clickhouse_address(variables))
    for database, statements in clickhouse_sources.source_databases().items():
        clickhouse_sources.apply(client, database, statements)
    yield client
    client.close()


@contextmanager
def simulator(variables: dict[str, str], data: Path, *flags: str) -> Iterator[httpx.Client]:
    port = free_port()
    command = [sys.executable, "-m", "devstack.beat", "serve", "--port", str(port), "--data-dir", str(data)]
    process = subprocess.Popen([*command, "--time-scale", "0.01", *flags], env=variables, cwd=REPOSITORY)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            until(lambda: answers(client), 30)
            client.process = process
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def beat(variables: dict[str, str], tmp_path: Path) -> Iterator[httpx.Client]:
    """A simulator of made-up accounts in which only wrong requests fail."""
    purge(variables)
    with simulator(variables, tmp_path, "--no-clickhouse", "--no-failures") as client:
        yield client


def request(flow: str = "refresh_profile_by_handle", **params: object) -> dict[str, object]:
    return {"flow": flow, "platform": "INSTAGRAM", "params": params or {"handle": "priya"}}


def finished(client: httpx.Client, scrape_id: int) -> dict[str, object]:
    found = {}

    def is_finished() -> bool:
        found.update(client.get(f"/scrape_request_log/flow/{scrape_id}").json()["post"])
        return found["status"] in ("COMPLETE", "FAILED")

    until(is_finished)
    return found


def drain(variables: dict[str, str], queue: str) -> list[dict[str, object]]:
    bodies = []
    with closing(pika.BlockingConnection(broker.parameters(variables))) as connection:
        channel = connection.channel()
        while True:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return bodies
            assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
            bodies.append(orjson.loads(body))


def purge(variables: dict[str, str]) -> None:
    broker.declare_queues(broker.parameters(variables))
    with closing(pika.BlockingConnection(broker.parameters(variables))) as connection:
        for event in EVENT_TYPES.values():
            connection.channel().queue_purge(event.queue)


def published(client: httpx.Client) -> None:
    until(lambda: client.get("/stats").json()["outbox"] == 0)


def test_a_request_runs_and_its_events_follow(beat: httpx.Client, variables: dict[str, str]) -> None:
    reply = beat.post(CREATE, content=orjson.dumps(request()))  # no content type, as the platform sends it
    assert reply.status_code == 200
    body = reply.json()
    assert (body["status"], body["code"]) == ({"type": "SUCCESS", "message": "Scrape request log added"}, 200)
    row = finished(beat, body["scrape_id"])
    assert (row["status"], row["data"], row["flow"]) == ("COMPLETE", "None", "refresh_profile_by_handle")
    published(beat)
    events = drain(variables, "scrape_request_log_events_q")
    assert [event["status"] for event in events] == ["PENDING", "PROCESSING", "COMPLETE"]
    assert {event["scl_id"] for event in events} == {str(body["scrape_id"])}
    assert len({event["event_id"] for event in events}) == 3
    assert [event["profile_id"] for event in drain(variables, "profile_log_events_q")].count(None) == 0
    assert len(drain(variables, "post_log_events_q")) == 12


def test_application_errors_are_http_200_and_bad_bodies_422(beat: httpx.Client) -> None:
    assert beat.post(CREATE, content=b"{").status_code == 422
    assert beat.post(CREATE, json={"flow": "a", "platform": "b"}).status_code == 422
    missing = beat.get("/profiles/instagram/byhandle/unknown.name", params={"full_refresh": "true"})
    assert missing.status_code == 200
    assert missing.json()["status"] == {"type": "ERROR", "message": "Profile not found - unknown.name", "code": 404}
    assert beat.get("/profiles/shopify/byhandle/x").json()["status"]["code"] == 400
    assert beat.get("/profiles/INSTAGRAM/byhandle/x").status_code == 422


def test_wrong_parameters_fail_and_unknown_flows_wait_for_ever(beat: httpx.Client) -> None:
    wrong = beat.post(CREATE, json=request(handle="a", depth=3)).json()["scrape_id"]
    unknown = beat.post(CREATE, json=request("no_such_flow")).json()["scrape_id"]
    assert finished(beat, wrong)["data"].endswith("got an unexpected keyword argument 'depth'")
    time.sleep(0.5)
    assert beat.get(f"/scrape_request_log/flow/{unknown}").json()["post"]["status"] == "PENDING"
    listed = beat.get("/requests", params={"status": "PENDING"}).json()
    assert (listed["total"], listed["requests"][0]["flow"]) == (1, "no_such_flow")


def test_an_idempotency_key_makes_one_request(beat: httpx.Client) -> None:
    key = {"Idempotency-Key": "k-1"}
    first, second = (beat.post(CREATE, json=request(handle="a"), headers=key).json()["scrape_id"] for _ in range(2))
    assert first == second
    assert beat.post(CREATE, json=request(handle="b"), headers=key).status_code == 422
    without = {beat.post(CREATE, json=request(handle="a")).json()["scrape_id"] for _ in range(2)}
    assert len(without) == 2


def test_the_update_endpoint_sets_a_status_and_publishes_it(beat: httpx.Client, variables: dict[str, str]) -> None:
    scrape_id = beat.post(CREATE, json=request("no_such_flow")).json()["scrape_id"]
    update = f"/scrape_request_log/flow/update/{scrape_id}"
    assert beat.post(update, json={"status": "FAILED"}).status_code == 500
    changed = request("no_such_flow") | {"retry_count": 3, "status": "FAILED"}
    reply = beat.post(update, json=changed)
    assert (reply.status_code, reply.json()) == (200, None)
    assert beat.post("/scrape_request_log/flow/update/5", json=changed).json() is None  # an id that does not exist
    row = beat.get("/requests", params={"flow": "no_such_flow"}).json()["requests"][0]
    assert (row["status"], row["retry_count"]) == ("FAILED", 3)
    published(beat)
    events = [event for event in drain(variables, "scrape_request_log_events_q") if event["status"] == "FAILED"]
    assert [event["scl_id"] for event in events] == [str(scrape_id), "5"]
    assert all("T" in event["event_timestamp"] and event["picked_at"] for event in events)


def test_profiles_come_with_averages_and_are_limited(beat: httpx.Client) -> None:
    address = "/profiles/instagram/byhandle/priya"
    # The flags are untyped: the text "false" is true.
    profile = beat.get(address, params={"full_refresh": "false", "force_refresh": "false"}).json()["profile"]
    assert set(profile["post_metrics"]) == {"static", "reels", "all", "story"}
    types = [post["post_type"] for post in profile["recent_posts"]]
    assert types == sorted(types, key=lambda kind: kind != "reels")
    again = beat.get(address, params={"full_refresh": "1", "force_refresh": "1"}).json()
    assert again["status"] == {"type": "ERROR", "message": "Concurrency Limit Exceeded", "code": 2}
    assert beat.get(address).json()["profile"]["recent_posts"] is None


def test_faults_are_switched_on_and_end(beat: httpx.Client) -> None:
    faults = {"too_many_requests": 1.0, "retry_after_seconds": 7, "remaining": 1}
    assert beat.post("/admin/faults", json=faults).status_code == 200
    refused = beat.post(CREATE, json=request())
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert beat.post(CREATE, json=request()).status_code == 200
    beat.post("/admin/faults", json={"server_errors": 1.0})
    assert beat.post(CREATE, json=request()).status_code == 500
    beat.post("/admin/faults", json={"error_envelopes": 1.0, "delay_seconds": 0.3})
    begun = time.monotonic()
    envelope = beat.post(CREATE, json=request())
    assert (envelope.status_code, envelope.json()["status"]["type"]) == (200, "ERROR")
    assert time.monotonic() - begun >= 0.3
    assert beat.post("/admin/faults", json={"no_such": 1}).status_code == 422
    assert beat.get("/stats").json()["requests"] == 1


def test_requests_that_are_to_stay_stuck_stay_processing(beat: httpx.Client) -> None:
    beat.post("/admin/faults", json={"stuck": 1.0})
    scrape_id = beat.post(CREATE, json=request()).json()["scrape_id"]
    shown = f"/scrape_request_log/flow/{scrape_id}"
    until(lambda: beat.get(shown).json()["post"]["status"] == "PROCESSING")
    time.sleep(1)
    assert beat.get(shown).json()["post"]["status"] == "PROCESSING"


def test_a_broker_outage_and_a_kill_lose_no_event(variables: dict[str, str], tmp_path: Path) -> None:
    purge(variables)
    away = variables | {"SINKER_RABBITMQ_PORT": "9"}
    with simulator(away, tmp_path, "--no-clickhouse", "--no-failures") as client:
        ids = [client.post(CREATE, json=request("refresh_post_by_shortcode", shortcode=f"c{n}")) for n in range(5)]
        assert all(reply.json()["status"]["type"] == "SUCCESS" for reply in ids)
        finished(client, ids[0].json()["scrape_id"])
        until(lambda: "outbox" in client.get("/stats").json()["errors"])
        client.process.kill()
        client.process.wait()
    with simulator(variables, tmp_path, "--no-clickhouse", "--no-failures") as client:
        for reply in ids:
            finished(client, reply.json()["scrape_id"])
        published(client)
    events = drain(variables, "scrape_request_log_events_q")
    assert sorted(event["status"] for event in events) == ["COMPLETE"] * 5 + ["PENDING"] * 5 + ["PROCESSING"] * 5
    assert len({event["event_id"] for event in events}) == 15
    assert len(drain(variables, "post_log_events_q")) == 5


def test_flows_that_write_tables_leave_rows_beside_their_events(
    variables: dict[str, str], clickhouse: Client, tmp_path: Path
) -> None:
    purge(variables)
    for table in ("profile_relationship_log", "`order`", "asset_log", "instagram_account", "youtube_post_simple"):
        clickhouse.command(f"TRUNCATE TABLE beat_replica.{table}")
    clickhouse.command(
        "INSERT INTO beat_replica.youtube_post_simple (id, shortcode, duration) VALUES (1, 'vid', 'PT59S')"
    )
    picture = {
        "entity_type": "POST",
        "entity_id": "it's",
        "asset_type": "IMAGE",
        "platform": "INSTAGRAM",
        "hash": 2**64 - 1,
    }
    asked = [
        request("fetch_profile_followers", profile_id="77"),
        request("refresh_orders_by_store", store="s.example", limit=250) | {"platform": "SHOPIFY"},
        request("asset_upload_flow", original_url="https://x/a.jpg", **picture),
        request("asset_upload_flow", original_url="https://x/b.jpg", **picture),
        request("refresh_yt_post_type", post_id="vid"),
    ]
    with simulator(variables, tmp_path, "--no-failures") as client:
        for body in asked:
            assert finished(client, client.post(CREATE, json=body).json()["scrape_id"])["status"] == "COMPLETE"
        published(client)
    assert len(drain(variables, "profile_relationship_log_events_q")) == 40
    assert len(drain(variables, "order_log_events_q")) == 2
    assert len(drain(variables, "trace_log")) == len(asked)

    def stored(columns: str, table: str) -> list[tuple]:
        return clickhouse.query(f"SELECT {columns} FROM beat_replica.{table}").result_rows

    until(lambda: stored("post_type", "youtube_post_simple") == [("short",)])
    assert stored("count(), any(target_profile_id)", "profile_relationship_log") == [(40, "77")]
    assert stored("count(), any(store)", "`order`") == [(2, "s.example")]
    assert stored("entity_id, original_url, asset_url", "asset_log") == [
        ("it's", "https://x/b.jpg", "assets/posts/instagram/it's.jpg")  # one row per entity
    ]


def test_clickhouse_shows_the_queue_and_the_new_counters(
    variables: dict[str, str], clickhouse: Client, tmp_path: Path
) -> None:
    purge(variables)
    clickhouse.command("TRUNCATE TABLE beat_replica.recent_scrape_request_log")
    clickhouse.command("TRUNCATE TABLE beat_replica.instagram_account")
    clickhouse.command(
        "INSERT INTO beat_replica.instagram_account (id, profile_id, handle, followers, following, media_count,"
        " updated_at) VALUES (1, '777', 'real.one', 1000, 10, 20, now64(6) - 86400 * 3)"
    )
    with simulator(variables, tmp_path, "--no-failures") as client:
        known = client.post(CREATE, json=request(handle="real.one")).json()["scrape_id"]
        absent = client.post(CREATE, json=request(handle="it's \\ 'gone'")).json()["scrape_id"]
        assert finished(client, known)["status"] == "COMPLETE"
        assert finished(client, absent)["data"] == "(404, 'Profile not found')"

        def rows() -> list[tuple]:
            return clickhouse.query(
                "SELECT id, status, data, scraped_at > created_at, JSONExtractString(params, 'handle')"
                " FROM beat_replica.recent_scrape_request_log ORDER BY id"
            ).result_rows

        expected = [
            (known, "COMPLETE", "None", 1, "real.one"),
            (absent, "FAILED", "(404, 'Profile not found')", 1, "it's \\ 'gone'"),
        ]
        until(lambda: rows() == expected)
        published(client)
    event = drain(variables, "profile_log_events_q")[0]
    stored = clickhouse.query(
        "SELECT followers, now() - updated_at < 60 FROM beat_replica.instagram_account"
    ).result_rows
    assert stored == [(event["metrics"]["followers"], 1)]
    assert event["metrics"]["followers"] != 1000
