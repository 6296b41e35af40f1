"""How far the events are on their way from RabbitMQ into ClickHouse, seen from outside the sinker."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import pika

from devstack.clickhouse_endpoint import clickhouse_endpoint
from devstack.errors import StackError
from devstack.settings import HOST, RABBITMQ_USER, RABBITMQ_VHOST, Secrets, StackSettings
from event_sinker.events import EVENT_TYPES

QUIET_CHECKS = 4
"""The queues count as drained when this many looks in a row, half a second apart, find nothing new."""


class EventFlow:
    """Counts at both ends: messages that wait or are dead in RabbitMQ, rows in ClickHouse."""

    def __init__(self, settings: StackSettings, secrets: Secrets) -> None:
        self._settings = settings
        self._endpoint = clickhouse_endpoint(settings, secrets)
        self._broker = pika.ConnectionParameters(
            HOST,
            settings.port("rabbitmq"),
            RABBITMQ_VHOST,
            pika.PlainCredentials(RABBITMQ_USER, secrets.rabbitmq_password),
        )
        self._management = httpx.Client(
            base_url=f"http://{HOST}:{settings.port('rabbitmq_management')}/api",
            auth=(RABBITMQ_USER, secrets.rabbitmq_password),
            timeout=10,
        )

    def stored(self) -> int:
        """Rows in all event tables."""
        return sum(self.stored_by_table().values())

    def stored_by_table(self) -> dict[str, int]:
        """Rows by event table; a table that does not exist yet counts as empty."""
        reply = httpx.post(
            self._endpoint.url,
            content="SELECT name, total_rows FROM system.tables WHERE database = '_e' FORMAT TSV",
            headers={"X-ClickHouse-User": self._endpoint.user, "X-ClickHouse-Key": self._endpoint.password},
            timeout=30,
        ).raise_for_status()
        found = dict(line.split("\t") for line in reply.text.splitlines())
        return {event.table: int(found.get(event.table, 0)) for event in EVENT_TYPES.values()}

    def ready(self) -> int:
        """Messages that no consumer has taken yet, asked of the queues themselves and so without delay."""
        with pika.BlockingConnection(self._broker) as connection:
            return sum(self._depth(connection, event.queue) for event in EVENT_TYPES.values())

    @staticmethod
    def _depth(connection: pika.BlockingConnection, queue: str) -> int:
        channel = connection.channel()
        try:
            count = channel.queue_declare(queue, passive=True).method.message_count
        except pika.exceptions.ChannelClosedByBroker:
            return 0  # nobody has declared it yet
        channel.close()
        return count

    def waiting(self) -> int:
        """Messages that wait or are held unacknowledged; RabbitMQ's statistics behind it are up to five seconds old."""
        queues = {event.queue for event in EVENT_TYPES.values()}
        found = self._management.get("/queues").raise_for_status().json()
        return sum(queue.get("messages", 0) for queue in found if queue["name"] in queues)

    def dead_letters(self) -> int:
        """Messages in the dead-letter queues."""
        with pika.BlockingConnection(self._broker) as connection:
            return sum(self._depth(connection, f"{event.queue}.dead") for event in EVENT_TYPES.values())

    def dropped(self) -> int:
        """Messages that the running sinker recognised as stored already and dropped, since it started."""
        reply = httpx.get(f"http://{HOST}:{self._settings.port('sinker')}/metrics", timeout=10).raise_for_status()
        counted = re.findall(r"^sinker_duplicates_dropped_total\{.*\} (\S+)$", reply.text, re.MULTILINE)
        return int(sum(map(float, counted)))

    def wait_until_drained(self, seconds: float, progress: Callable[[int], None] = lambda waiting: None) -> None:
        """Return once no message waits and no row arrives any more; StackError if that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        quiet, rows = 0, -1
        while quiet < QUIET_CHECKS:
            waiting, now = max(self.ready(), self.waiting()), self.stored()
            quiet = quiet + 1 if waiting == 0 and now == rows else 0
            rows = now
            progress(waiting)
            if time.monotonic() > deadline:
                raise StackError(
                    f"{waiting} events still wait in RabbitMQ after {seconds:.0f} s: "
                    f"see {self._settings.logs}/sinker.log."
                )
            time.sleep(0.5)
