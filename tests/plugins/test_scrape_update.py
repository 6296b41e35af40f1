"""Freeing requests that hang: the Beat simulator over HTTP, its events in real ClickHouse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pika
import pytest
from airflow.sdk.exceptions import AirflowException
from stir import warehouse
from stir.scrape_update import StuckRequests, run

from devstack.beat.api import create_app
from devstack.beat.settings import BeatSettings, Faults
from devstack.beat.simulator import Simulator
from devstack.search.server import serving
from event_sinker import schema as event_schema
from event_sinker.events import EVENT_TYPES

pytestmark = pytest.mark.integration
CANDIDATES = Path(__file__).parents[2] / "dags" / "candidates" / "retry_yt_scrape_events.sql"
EVENTS = "_e.scrape_request_log_events"
NOW = datetime.now(UTC).replace(microsecond=0)
SOURCE = StuckRequests(candidates=CANDIDATES, older_than=timedelta(hours=2), tries=3, limit=1000)


class Scraper:
    """Beat and what its events have told ClickHouse so far."""

    def __init__(self, simulator: Simulator, url: str, client: Any) -> None:
        self.ledger, self.client = simulator.ledger, client
        self.http = httpx.Client(base_url=url, timeout=10)
        self.number = 0

    def take_up(self, flow: str, platform: str = "YOUTUBE", **params: Any) -> int:
        """A request whose worker has died: PROCESSING, and nothing more will come of it."""
        body = {"flow": flow, "platform": platform, "params": params}
        scrape_id = self.http.post(f"/scrape_request_log/flow/{flow}", json=body).json()["scrape_id"]
        with self.ledger.transaction():
            self.ledger.change(scrape_id, "PROCESSING", stuck=1)
        return scrape_id

    def told(self, scrape_id: int, status: str, when: datetime, **changed: Any) -> None:
        """One event of a request."""
        row = self.ledger.request(scrape_id) or {}
        self.number += 1
        event = {
            "event_id": f"e{self.number}",
            "scl_id": scrape_id,
            "platform": row.get("platform", "YOUTUBE"),
            "flow": row.get("flow", "refresh_yt_profiles"),
            "params": row.get("params", '{"channel_ids": ["UCx"]}'),
            "status": status,
            "retry_count": row.get("retry_count", 1),
            "event_timestamp": when,
            **changed,
        }
        self.client.execute(f"insert into {EVENTS} ({', '.join(event)}) values", [tuple(event.values())])

    def hang(self, flow: str = "refresh_yt_profiles", *, hours: float = 3, **params: Any) -> int:
        """A request that hangs, and whose events have arrived."""
        scrape_id = self.take_up(flow, **(params or {"channel_ids": [f"UC{self.number}"]}))
        self.told(scrape_id, "PENDING", NOW - timedelta(hours=hours))
        self.told(scrape_id, "PROCESSING", NOW - timedelta(hours=hours))
        return scrape_id

    def state(self, scrape_id: int) -> tuple[str, int]:
        row = self.ledger.request(scrape_id)
        assert row is not None
        return str(row["status"]), int(str(row["retry_count"]))


@pytest.fixture
def scraper(tmp_path: Path, clickhouse: Any, connection: Callable[..., None], monkeypatch: Any) -> Iterator[Scraper]:
    """The simulator without running workers and without a broker, and an empty table of events."""
    clickhouse.execute("create database if not exists _e")
    clickhouse.execute(f"drop table if exists {EVENTS} sync")
    clickhouse.execute(event_schema.create_table(EVENT_TYPES["scrape_request_log"], "_e"))
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_REQUESTS_PER_SECOND", "500")
    for name in [name for name in os.environ if name.startswith("BEAT_")]:
        monkeypatch.delenv(name)
    simulator = Simulator(
        BeatSettings(data_dir=tmp_path, faults=Faults()), pika.ConnectionParameters("127.0.0.1", 9), None
    )
    simulator.threads.clear()
    with serving(create_app(simulator)) as url:
        connection("beat", host=url)
        yield Scraper(simulator, url, clickhouse)
    clickhouse.execute(f"truncate table {EVENTS}")


def counts(page: dict[str, Any]) -> tuple[int, ...]:
    return tuple(page[name] for name in ("candidates", "retried", "given_up", "moved_on", "unknown"))


def test_what_hangs_gets_two_more_tries_and_is_failed_then(scraper: Scraper) -> None:
    params = {"channel_ids": ["UCa"], "hash": 18446744073709551615}
    hanging = scraper.hang(**params)
    for expected in (("PENDING", 2), ("PENDING", 3), ("FAILED", 4)):
        page = run(SOURCE, params={})
        assert scraper.state(hanging) == expected
        assert page["retried"] + page["given_up"] == 1
        row = scraper.ledger.request(hanging)
        assert row is not None
        assert orjson.loads(row["params"]) == params
        # The scraper tells of the update, takes it up again, and its worker dies once more.
        scraper.client.execute(f"truncate table {EVENTS}")
        scraper.told(hanging, expected[0], NOW - timedelta(hours=3))
        if expected[0] == "PENDING":
            assert run(SOURCE, params={})["candidates"] == 0
            scraper.told(hanging, "PROCESSING", NOW - timedelta(hours=3))
            with scraper.ledger.transaction():
                scraper.ledger.change(hanging, "PROCESSING")
    assert run(SOURCE, params={})["note"] == "nothing to do: no request hangs"
    assert scraper.state(hanging) == ("FAILED", 4)


def test_tries_are_counted_by_their_events_where_the_count_is_missing(scraper: Scraper) -> None:
    twice, thrice = (scraper.take_up("refresh_yt_posts", post_ids=[name]) for name in "ab")
    for scrape_id, tries in ((twice, 2), (thrice, 3)):
        for turn in range(tries):
            event = {"event_id": f"{scrape_id}/{turn}", "retry_count": None}
            for batch in "xy":  # an event that came twice is one try
                event |= {"ingest_batch_id": batch}
                scraper.told(scrape_id, "PROCESSING", NOW - timedelta(hours=3 * (tries - turn)), **event)
    assert counts(run(SOURCE, params={})) == (2, 1, 1, 0, 0)
    assert (scraper.state(twice), scraper.state(thrice)) == (("PENDING", 3), ("FAILED", 4))


def test_one_row_for_each_reason_to_be_left_alone(scraper: Scraper) -> None:
    chosen = scraper.hang()
    hour = timedelta(hours=1)
    scraper.hang(hours=1.9)  # runs still, as far as anybody knows
    scraper.hang("refresh_profile_by_handle", hours=200)  # before the window
    instagram = scraper.take_up("refresh_profile_by_handle", "INSTAGRAM", handle="ann")
    scraper.told(instagram, "PROCESSING", NOW - 3 * hour)
    waiting = scraper.take_up("refresh_yt_profiles", channel_ids=["w"])
    scraper.told(waiting, "PENDING", NOW - 3 * hour)
    for status in ("COMPLETE", "FAILED", "PENDING"):
        ended = scraper.hang()
        scraper.told(ended, status, NOW - 2.5 * hour)
    same_second = scraper.hang()
    scraper.told(same_second, "COMPLETE", NOW - 3 * hour)
    taken_up_again = scraper.hang(hours=5)
    scraper.told(taken_up_again, "PENDING", NOW - 4 * hour)
    scraper.told(taken_up_again, "PROCESSING", NOW - hour)
    found = warehouse.rows(SOURCE.query(100, SOURCE.older_than), what="test")
    assert [row["scl_id"] for row in found] == [chosen]
    assert counts(run(SOURCE, params={})) == (1, 1, 0, 0, 0)
    assert scraper.state(chosen) == ("PENDING", 2)
    assert scraper.state(instagram) == ("PROCESSING", 1)


def test_the_oldest_come_first_and_the_limit_cuts_the_rest(scraper: Scraper) -> None:
    ids = {hours: scraper.hang(hours=hours) for hours in (3, 30, 4, 160)}
    found = warehouse.rows(SOURCE.query(3, SOURCE.older_than), what="test")
    assert [row["scl_id"] for row in found] == [ids[160], ids[30], ids[4]]
    assert run(SOURCE, params={"limit": 1})["retried"] == 1
    assert [scraper.state(ids[hours])[0] for hours in (160, 30)] == ["PENDING", "PROCESSING"]


def test_a_manual_run_may_ask_for_another_age_but_never_for_a_young_one(scraper: Scraper) -> None:
    scraper.hang(hours=1)
    scraper.hang(hours=0.4)
    assert run(SOURCE, params={"older_than_minutes": 45})["candidates"] == 1
    assert run(SOURCE, params={"older_than_minutes": 1})["candidates"] == 1
    with pytest.raises(ValueError, match="older_than must be at least 0:30:00"):
        StuckRequests(candidates=CANDIDATES, older_than=timedelta(minutes=5), tries=3, limit=1)


def test_what_has_ended_at_beat_before_its_event_arrived_is_left_alone(scraper: Scraper) -> None:
    ended, hanging = scraper.hang(), scraper.hang()
    with scraper.ledger.transaction():
        scraper.ledger.change(ended, "COMPLETE")
    assert counts(run(SOURCE, params={})) == (2, 1, 0, 1, 0)
    assert scraper.state(ended) == ("COMPLETE", 1)
    assert scraper.state(hanging) == ("PENDING", 2)


def test_events_of_another_environment_change_nothing(scraper: Scraper, left: Any) -> None:
    """Its ids are missing here, or belong to other requests."""
    hanging = [scraper.hang() for _ in range(3)]
    scraper.told(77, "PROCESSING", NOW - timedelta(hours=3))
    other = scraper.take_up("refresh_yt_profiles", channel_ids=["here"])
    scraper.told(other, "PROCESSING", NOW - timedelta(hours=3), params='{"channel_ids": ["there"]}')
    with pytest.raises(Exception, match=r"2 of 5 requests .* not those of this Beat .*no such request.*Nothing was"):
        run(SOURCE, params={}, ti=left)
    assert counts(left.page) == (5, 0, 0, 0, 2)
    assert [scraper.state(scrape_id) for scrape_id in [*hanging, other]] == [("PROCESSING", 1)] * 4


def test_a_single_stranger_is_counted_and_the_rest_is_freed(scraper: Scraper) -> None:
    for _ in range(10):
        scraper.hang()
    other = scraper.take_up("refresh_yt_profiles", channel_ids=["here"])
    scraper.told(other, "PROCESSING", NOW - timedelta(hours=3), flow="refresh_yt_posts")
    page = run(SOURCE, params={})
    assert counts(page) == (11, 10, 0, 0, 1)
    assert page["errors"] == [f"{other}: another request"]
    assert scraper.state(other) == ("PROCESSING", 1)


def test_a_dry_run_looks_up_and_changes_nothing(scraper: Scraper) -> None:
    hanging = scraper.hang()
    page = run(SOURCE, params={"dry_run": True})
    assert page["note"] == "dry run: 1 requests hang, nothing changed"
    assert scraper.state(hanging) == ("PROCESSING", 1)


def test_too_many_failed_calls_fail_the_task_with_figures(scraper: Scraper) -> None:
    scraper.hang()
    scraper.http.post("/admin/faults", json={"error_envelopes": 1.0}).raise_for_status()
    with pytest.raises(Exception, match=r"1 of 1 requests could not be updated at Beat .*ERROR 400: Something"):
        run(SOURCE, params={})


def test_a_beat_that_refuses_everything_is_left_alone_after_twenty(scraper: Scraper, left: Any, caplog: Any) -> None:
    for _ in range(25):
        scraper.hang()
    scraper.http.post("/admin/faults", json={"error_envelopes": 1.0}).raise_for_status()
    with caplog.at_level("INFO"), pytest.raises(Exception, match=r"20 of 20 requests could not be updated"):
        run(SOURCE, params={}, ti=left)
    assert counts(left.page) == (25, 0, 0, 0, 0)
    assert len(left.page["errors"]) == 20
    assert "25 hang, 0 retried, 0 given up" in caplog.text


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"too_many_requests": 1.0, "retry_after_seconds": 0}, "HTTP 429"),
        ({"server_errors": 1.0}, "HTTP 500"),
        ({"delay_seconds": 2.0}, "no reply from Beat: ReadTimeout"),
    ],
)
def test_a_beat_in_lasting_trouble_fails_the_task_with_its_answer(
    scraper: Scraper, monkeypatch: pytest.MonkeyPatch, faults: dict[str, float], message: str
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_BEAT_TIMEOUT_SECONDS", "0.5")
    hanging = scraper.hang()
    scraper.http.post("/admin/faults", json=faults).raise_for_status()
    with pytest.raises(AirflowException, match=rf"1 of 1 requests could not be updated at Beat .*{message}"):
        run(SOURCE, params={})
    scraper.http.post("/admin/faults", json={}).raise_for_status()
    assert scraper.state(hanging) == ("PROCESSING", 1)
    assert run(SOURCE, params={})["retried"] == 1


def test_passing_trouble_of_beat_is_waited_for(scraper: Scraper) -> None:
    hanging = scraper.hang()
    scraper.http.post("/admin/faults", json={"too_many_requests": 1.0, "retry_after_seconds": 0, "remaining": 2})
    assert run(SOURCE, params={})["retried"] == 1
    assert scraper.state(hanging) == ("PENDING", 2)


def test_a_beat_that_is_down_fails_the_task_and_says_so(scraper: Scraper, connection: Callable[..., None]) -> None:
    scraper.hang()
    connection("beat", host="http://127.0.0.1:9")
    with pytest.raises(AirflowException, match=r"could not be looked up at Beat .*no reply from Beat: ConnectError"):
        run(SOURCE, params={})


def test_a_warehouse_that_is_away_is_one_clear_error(scraper: Scraper, connection: Callable[..., None]) -> None:
    connection("clickhouse_gcc", host="127.0.0.1", port=9, login="stir", password="x")
    with pytest.raises(Exception, match=r"retry_yt_scrape_events.sql: ClickHouse at 127.0.0.1:9 .* does not answer"):
        run(SOURCE, params={})


def test_an_event_whose_params_cannot_be_read_is_counted_and_the_rest_is_freed(scraper: Scraper) -> None:
    hanging = [scraper.hang() for _ in range(10)]
    broken = scraper.take_up("refresh_yt_profiles", channel_ids=["UCbroken"])
    for status in ("PENDING", "PROCESSING"):
        scraper.told(broken, status, NOW - timedelta(hours=4), params='{"channel_ids": [')
    page = run(SOURCE, params={})
    assert (page["unknown"], page["retried"]) == (1, 10)
    assert page["errors"] == [f"{broken}: the params of its event are no JSON"]
    assert {scraper.state(each) for each in hanging} == {("PENDING", 2)}
