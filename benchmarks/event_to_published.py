"""From an event that Beat publishes to the row that the product reads, on the running schedule.

    python benchmarks/event_to_published.py [--ticks 2] [--profiles 2000] [--every 10]

A private platform: RabbitMQ, sinker, ClickHouse, S3, sshd, PostgreSQL, and Airflow with dbt_core unpaused on its own
schedule of every 15 minutes. `--profiles` events are there before; dbt_core has run once over them. From then until the
schedule has been due `--ticks` times, a profile that nobody knew is announced by a profile_log event every `--every`
seconds, so that events fall just before, during and just after what a run reads. For each: the moment at which
RabbitMQ confirmed it, at which ClickHouse showed it, and at which `social_profile_core_metrics` showed its followers.
It runs for `--ticks` quarters of an hour and a few minutes, most of them idle.

The bound is 15 minutes plus the sinker's time trigger. An event that a run has just missed waits a whole quarter of an
hour and then as long as the next run takes from its read to its swap, so the summary also says how much that is.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import clickhouse_driver
import pika
from croniter import croniter

from benchmarks.event_store.report import print_table, say
from benchmarks.private_stack import private_stack
from benchmarks.publishing_under_airflow import DAG, SERVICES, instances, moment, spread
from devstack.airflow_api import AirflowApi
from devstack.environment import sinker_settings
from devstack.progress import SilentProgress
from devstack.schema_step import apply_schema
from devstack.settings import AIRFLOW_USER
from devstack.stack import Stack
from event_sinker.events import EVENT_TYPES

EVENT = EVENT_TYPES["profile_log"]
BOUND = timedelta(minutes=15)
LOOK = 0.25
"""Seconds between two looks at the stores: what the moments are exact to."""


@dataclass
class Marked:
    """One event that is followed: the moments at which each place had it, None until then."""

    event_id: str
    profile_id: str
    followers: int
    sent: datetime
    stored: datetime | None = None
    published: datetime | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=2, help="times that the schedule is due (default 2)")
    parser.add_argument("--profiles", type=int, default=2_000, help="profiles that are known before (default 2000)")
    parser.add_argument("--every", type=float, default=10, help="seconds between two events (default 10)")
    options = parser.parse_args()
    with private_stack() as stack:
        say("starting the platform")
        stack.up(SERVICES)
        apply_schema(stack.settings, stack.secrets, stack.wanted(SERVICES), SilentProgress())
        address = stack.services["airflow-api"].address
        with AirflowApi(address, AIRFLOW_USER, stack.secrets.airflow_password) as api:
            with Platform(stack) as platform:
                known = [platform.announce(f"known-{number}", 1_000 + number) for number in range(options.profiles)]
                platform.wait(known, 300, lambda event: event.stored)
            api.wait_for_dags({DAG})
            say("dbt_core over what is known already")
            first = api.trigger(DAG)
            api.set_paused(DAG, False)
            if api.wait(DAG, first, 600) != "success":
                raise SystemExit(f"dbt_core failed: {api.tasks(DAG, first)}")
            with Platform(stack) as platform:
                marked = follow(platform, options.ticks, options.every)
            time.sleep(10)  # the run ends after its swap
            runs = runs_since(api, first)
    print(
        f"{len(marked)} events, {options.ticks} ticks, {options.profiles:,} profiles before; {os.cpu_count()} cores, "
        f"{datetime.now(UTC).date()}"
    )
    print_runs(runs)
    print_events(marked, float(sinker_settings(stack.settings, stack.secrets)["SINKER_BATCH_SECONDS"]))


class Platform:
    """Both ends of the running platform: the broker that takes events, and the two stores that show them."""

    def __init__(self, stack: Stack) -> None:
        self._broker = pika.BlockingConnection(stack.services["rabbitmq"].parameters())
        self._channel = self._broker.channel()
        self._channel.confirm_delivery()
        here = stack.services["clickhouse"].endpoint
        login = {"user": here.user, "password": here.password}
        self._clickhouse = clickhouse_driver.Client(host=here.host, port=here.native_port, **login)
        self._serving = stack.services["postgres"].connection()
        self._serving.autocommit = True

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        with closing(self._broker), closing(self._serving):
            self._clickhouse.disconnect()

    def announce(self, profile_id: str, followers: int) -> Marked:
        """Publish the event of a profile, as Beat does; returns when RabbitMQ has confirmed it."""
        now = datetime.now(UTC)
        body = {
            "event_id": str(uuid.uuid4()),
            "source": "graphapi",
            "platform": "INSTAGRAM",
            "profile_id": profile_id,
            "handle": profile_id.replace("-", "_"),
            "event_timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
            "metrics": {"followers": followers},
            "dimensions": {"full_name": profile_id},
        }
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
        self._channel.basic_publish(
            EVENT.exchange, EVENT.routing_key, json.dumps(body).encode(), properties, mandatory=True
        )
        return Marked(body["event_id"], profile_id, followers, datetime.now(UTC))

    def look(self, events: list[Marked]) -> None:
        """Note which events have reached either store, then pause."""
        if waiting := {event.event_id: event for event in events if not event.stored}:
            statement = f"select event_id from _e.{EVENT.table} where event_id in %(ids)s"  # noqa: S608
            found = self._clickhouse.execute(statement, {"ids": tuple(waiting)})
            for (event_id,) in found:
                waiting[event_id].stored = datetime.now(UTC)
        if unseen := {(event.profile_id, event.followers): event for event in events if not event.published}:
            with self._serving.cursor() as cursor:
                cursor.execute(
                    "select profile_id, followers from social_profile_core_metrics "
                    "where platform = 'INSTAGRAM' and (profile_id, followers) in %s",
                    (tuple(unseen),),
                )
                for row in cursor.fetchall():
                    unseen[row].published = datetime.now(UTC)
        self._broker.sleep(LOOK)  # heartbeats go on

    def wait(self, events: list[Marked], seconds: float, reached: Any) -> None:
        """Look until all events have got there; SystemExit after `seconds`."""
        until = time.monotonic() + seconds
        while missing := [event for event in events if not reached(event)]:
            if time.monotonic() > until:
                raise SystemExit(f"{len(missing)} events did not arrive within {seconds:.0f} s, first {missing[0]}")
            self.look(events)


def follow(platform: Platform, ticks: int, every: float) -> list[Marked]:
    """Announce profiles until the last tick and wait until all are published."""
    schedule = croniter("*/15 * * * *", datetime.now(UTC))
    last = [schedule.get_next(datetime) for _ in range(ticks)][-1]
    say(f"an event every {every:g} s until {last:%H:%M} UTC")
    marked: list[Marked] = []
    told = 0
    while (now := datetime.now(UTC)) < last:
        if not marked or (now - marked[-1].sent).total_seconds() >= every:
            number = len(marked) + 1
            marked.append(platform.announce(f"marked-{number}", 1_000_000 + number))
        platform.look(marked)
        if (done := sum(event.published is not None for event in marked)) != told:
            say(f"{done} of {len(marked)} are published")
            told = done
    # Long enough for the run after it, should the last tick's miss the last event.
    platform.wait(marked, BOUND.total_seconds() + 300, lambda event: event.published)
    return marked


def runs_since(api: AirflowApi, first: str) -> list[dict[str, Any]]:
    """Task instances of every scheduled run by id, oldest first, with the slot under the key `slot`."""
    found = api._call("GET", f"/dags/{DAG}/dagRuns", params={"limit": 100, "order_by": "logical_date"})["dag_runs"]
    return [
        instances(api, run["dag_run_id"]) | {"slot": moment(run["run_after"])}
        for run in found
        if run["dag_run_id"] != first
    ]


def print_runs(runs: list[dict[str, Any]]) -> None:
    """When each run's models began and ended and its swap was done, in seconds after the slot."""
    rows = []
    for run in runs:
        moments = [("dbt_run", "start_date"), ("dbt_run", "end_date"), ("swap", "end_date")]
        after = [
            f"{(moment(run[task][when]) - run['slot']).total_seconds():.1f}" if run[task][when] else "-"
            for task, when in moments
        ]
        rows.append((f"{run['slot']:%H:%M}", *after, run["swap"]["state"]))
    print_table("run due at|models begin, s|models end, s|swapped, s|swap", rows)


def print_events(marked: list[Marked], batch_seconds: float) -> None:
    """Seconds from the confirmed event to each store, for each event and as a summary."""
    rows = []
    for event in marked:
        stored, published = seconds(event.sent, event.stored), seconds(event.sent, event.published)
        rows.append((f"{event.sent:%H:%M:%S}", f"{stored:.1f}", f"{published:.1f}"))
    print_table("published by Beat at|in ClickHouse after, s|in PostgreSQL after, s", rows)
    stored = [seconds(event.sent, event.stored) for event in marked]
    published = [seconds(event.sent, event.published) for event in marked]
    print_table(
        "|median, s|lowest|highest", [("in ClickHouse", *spread(stored)), ("in PostgreSQL", *spread(published))]
    )
    bound = BOUND.total_seconds() + batch_seconds
    late = [value - bound for value in published if value > bound]
    print(f"\nwithin {bound:g} s: {len(published) - len(late)} of {len(published)}", end="")
    print(f"; the others up to {max(late):.1f} s later" if late else "")


def seconds(begin: datetime, end: datetime | None) -> float:
    return (end - begin).total_seconds() if end else float("nan")


if __name__ == "__main__":
    main()
