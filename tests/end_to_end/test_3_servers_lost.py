"""Servers that go away in the middle of the job: retries, `up` again, and nothing lost."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress

import pika
import psycopg2
import pytest
from held_load import held_load
from pika.exceptions import AMQPError
from running_platform import RunningPlatform, profile_event, wait_until

from devstack.settings import SERVING_DATABASE
from event_sinker.events import EVENT_TYPES

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

DAG = "sync_leaderboard_prod"
NoAlert = Callable[[], AbstractContextManager[None]]


def test_a_load_whose_database_goes_away_is_tried_again_and_succeeds(
    platform: RunningPlatform, no_alert: NoAlert
) -> None:
    before = platform.live_table()
    with no_alert(), closing(platform.superuser("postgres")) as admin, admin.cursor() as cursor:
        try:
            with platform.run(DAG) as run_id:
                with held_load(platform) as held:
                    held.wait_until_it_stands_still()
                    cursor.execute(f"alter database {SERVING_DATABASE} with allow_connections false")
                    cursor.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid != %s",
                        (SERVING_DATABASE, held.connection.info.backend_pid),
                    )
                    platform.wait_for_task(DAG, run_id, "load", "up_for_retry", seconds=60)
                with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections"):
                    platform.postgres()
                cursor.execute(f"alter database {SERVING_DATABASE} with allow_connections true")
                assert platform.live_table() == before

                platform.let_the_back_off_pass(run_id, "load")
                state = platform.api.wait(DAG, run_id, 120)
                tries = {task.task_id: task.tries for task in platform.api.tasks(DAG, run_id)}
        finally:
            cursor.execute(f"alter database {SERVING_DATABASE} with allow_connections true")
    assert state == "success"
    assert tries["load"] == 2
    after = platform.live_table()
    assert after["generation"] > before["generation"]
    assert after["oid"] != before["oid"]
    assert after["rows"] == platform.clickhouse("select count() from dbt.mart_leaderboard")[0][0]


class SteadyPublisher(threading.Thread):
    """Publishes a profile event every few milliseconds and remembers which ones RabbitMQ has confirmed.

    An event that was not confirmed is not sent again: it may have arrived or not.
    """

    def __init__(self, platform: RunningPlatform) -> None:
        super().__init__(name="steady publisher", daemon=True)
        self.profile_id = f"steady-{uuid.uuid4()}"
        self.attempted: set[str] = set()
        self.confirmed: set[str] = set()
        self._platform = platform
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            with suppress(AMQPError, OSError), self._platform.broker() as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                while not self._ended.wait(0.01):
                    self._publish_one(channel)
            self._ended.wait(0.2)

    def _publish_one(self, channel: pika.adapters.blocking_connection.BlockingChannel) -> None:
        event, body = EVENT_TYPES["profile_log"], profile_event(profile_id=self.profile_id)
        self.attempted.add(body["event_id"])
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
        channel.basic_publish(event.exchange, event.routing_key, json.dumps(body).encode(), properties, mandatory=True)
        self.confirmed.add(body["event_id"])

    def wait_for_more(self, count: int = 100) -> None:
        """Return when that many more events were confirmed."""
        target = len(self.confirmed) + count
        wait_until(lambda: len(self.confirmed) >= target, 60, f"{count} more confirmed events")

    def stop(self) -> None:
        self._ended.set()
        self.join(30)


def test_every_confirmed_event_is_stored_once_when_sinker_broker_and_warehouse_are_killed(
    platform: RunningPlatform,
) -> None:
    publisher = SteadyPublisher(platform)
    publisher.start()
    try:
        for name in ("sinker", "rabbitmq", "clickhouse"):
            publisher.wait_for_more()
            platform.kill(name)
            if name != "rabbitmq":
                publisher.wait_for_more()
            platform.up()
        publisher.wait_for_more()
    finally:
        publisher.stop()

    def stored() -> dict[str, int]:
        rows = platform.clickhouse(
            "select event_id, count() from _e.profile_log_events where profile_id = {profile:String} group by event_id",
            profile=publisher.profile_id,
        )
        return dict(rows)

    wait_until(lambda: publisher.confirmed <= stored().keys(), 60, "every confirmed event is stored")
    wait_until(lambda: platform.depth("profile_log_events_q") == 0, 30, "the queue is empty")
    found = stored()
    assert {event_id: times for event_id, times in found.items() if times != 1} == {}
    assert found.keys() <= publisher.attempted
    platform.pids()


class SteadyReader(threading.Thread):
    """Counts the leaderboard again and again, as the product would; lost connections are made again."""

    def __init__(self, platform: RunningPlatform) -> None:
        super().__init__(name="steady reader", daemon=True)
        self.counts: list[int] = []
        self.errors: list[str] = []
        self.lost = 0
        self._platform = platform
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with closing(self._platform.postgres()) as connection:
                    connection.autocommit = True
                    while not self._ended.wait(0.02):
                        with connection.cursor() as cursor:
                            cursor.execute("select count(*) from leaderboard")
                            self.counts.append(cursor.fetchone()[0])
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.lost += 1
                self._ended.wait(0.1)
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        self._ended.set()
        self.join(30)


def test_a_publish_survives_the_kill_of_database_and_scheduler_and_readers_always_see_a_whole_table(
    platform: RunningPlatform, no_alert: NoAlert
) -> None:
    before = platform.live_table()
    reader = SteadyReader(platform)
    reader.start()
    try:
        with no_alert(), platform.run(DAG) as run_id:
            with held_load(platform) as held:
                held.wait_until_it_stands_still()
                platform.kill("postgres", "airflow-scheduler")
                platform.up()
            assert platform.live_table() == before
            state = platform.api.wait(DAG, run_id, 240)
            time.sleep(1)
    finally:
        reader.stop()
    assert state == "success"
    assert platform.live_table()["generation"] > before["generation"]
    assert reader.errors == []
    assert reader.lost > 0, "the kill was felt"
    assert set(reader.counts) == {before["rows"]}
    platform.pids()
