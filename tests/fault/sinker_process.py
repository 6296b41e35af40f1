"""What integration and fault tests share: a world of their own on running servers, sinkers as processes, the count.

Each test gets a RabbitMQ virtual host and a ClickHouse database of its own on servers that all tests share.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pika
from clickhouse_connect.driver.client import Client
from pika.exceptions import AMQPError

from event_sinker import schema, topology
from event_sinker.events import EVENT_TYPES
from event_sinker.settings import Settings
from event_sinker.writer import connect
from tests.event_sinker.sample_events import sample_event

REPOSITORY = Path(__file__).resolve().parents[2]


def wait_until(condition: Callable[[], Any], seconds: float = 30, what: str = "") -> Any:
    """The first true value of the condition; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def id_key(event_type: str) -> str:
    """The JSON key that holds the id of an event."""
    event = EVENT_TYPES[event_type]
    return next(column.payload_keys[0] for column in event.columns if column.name == event.id_column)


def profile_event(**changes: Any) -> dict[str, Any]:
    """A valid profile_log event with an id of its own."""
    return {
        "event_id": str(uuid.uuid4()),
        "source": "graphapi",
        "platform": "INSTAGRAM",
        "profile_id": "17841400000000001",
        "handle": "somebody",
        "event_timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "metrics": {"followers": 1234, "following": 56},
        "dimensions": {"full_name": "Some Body", "bio": "x" * 150},
    } | changes


@dataclass
class SinkerProcess:
    """One `python -m event_sinker run`."""

    process: subprocess.Popen[bytes]
    log_path: Path
    http_port: int

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]

    def messages(self) -> list[str]:
        return [entry["message"] for entry in self.log()]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=10)

    def answers(self) -> bool:
        """Whether it lives and its health check is open."""
        try:
            return self.get("/livez").status_code == 200
        except httpx.HTTPError:
            return False

    def ready(self) -> bool:
        assert self.process.poll() is None, f"the sinker ended: {self.log_path.read_text()[-2000:]}"
        try:
            return self.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def metric(self, name: str, **labels: str) -> float:
        wanted = "".join(f'{key}="{value}"' for key, value in labels.items())
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.get("/metrics").text.splitlines()
            if line.startswith((f"{name}{{", f"{name} ")) and wanted in line
        )

    def peak_memory(self) -> int:
        """The most resident memory that the process ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) << 10

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    def terminate(self, within: float = 30) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


@dataclass
class SinkerWorld:
    """A virtual host and a database of one test, and what was sent into them."""

    settings: Settings
    folder: Path
    sent: list[str] = field(default_factory=list)
    sinkers: list[SinkerProcess] = field(default_factory=list)
    client: Client | None = None

    def serve(self, *event_types: str) -> None:
        """From now on sinkers serve these types, by default all; their tables and queues exist."""
        self.settings = self.settings.model_copy(update={"event_types": event_types})
        with connect(self.settings) as client:
            schema.apply(client, self.settings.served(), self.settings.clickhouse_database)
        self.declare()

    def start(
        self, wait: bool = True, program: Sequence[str] = ("-m", "event_sinker"), **changes: object
    ) -> SinkerProcess:
        """Start a sinker; `changes` are settings by name. Returns when it is ready."""
        values = self.settings.model_dump(exclude_unset=True) | {"http_port": free_port()} | changes
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SINKER_")}
        for name, value in values.items():
            text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
            environment[f"SINKER_{name.upper()}"] = ",".join(text) if isinstance(text, tuple) else str(text)
        log_path = self.folder / f"sinker-{len(self.sinkers)}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *program, "run"], cwd=REPOSITORY, env=environment, stderr=log, stdout=log
            )
        sinker = SinkerProcess(process, log_path, int(str(values["http_port"])))
        self.sinkers.append(sinker)
        if wait:
            wait_until(sinker.ready, what="sinker ready")
        return sinker

    def start_and_store_one(self, **changes: object) -> SinkerProcess:
        """Start a sinker that has its connection to ClickHouse open: one event is through."""
        sinker = self.start(**changes)
        before = self.rows()
        self.send(1)
        wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 1 or self.rows() > before)
        return sinker

    def connection(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(topology.connection_parameters(self.settings))

    def declare(self) -> None:
        with self.connection() as connection:
            topology.declare(connection, self.settings.served())

    def publish(
        self,
        bodies: Iterable[bytes | dict[str, Any]],
        event_type: str = "profile_log",
        properties: pika.BasicProperties | None = None,
    ) -> None:
        """Publish with confirms, persistent and mandatory: what returns is RabbitMQ's responsibility."""
        event = EVENT_TYPES[event_type]
        with self.connection() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for body in bodies:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                channel.basic_publish(
                    event.exchange,
                    event.routing_key,
                    data,
                    properties or pika.BasicProperties(delivery_mode=2, content_type="application/json"),
                    mandatory=True,
                )
                if isinstance(body, dict) and id_key(event_type) in body:
                    self.sent.append(body[id_key(event_type)])

    def send(self, count: int, event_type: str = "profile_log", **changes: Any) -> None:
        """Publish that many valid events."""
        if event_type == "profile_log":
            self.publish(profile_event(**changes) for _ in range(count))
        else:
            self.publish((sample_event(event_type, **changes) for _ in range(count)), event_type)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        if self.client is None:
            self.client = connect(self.settings)
        return list(self.client.query(statement.replace("DB", self.settings.clickhouse_database)).result_rows)

    def rows(self, table: str = "profile_log_events") -> int:
        return self.query(f"SELECT count() FROM DB.{table}")[0][0]

    def stored(self) -> Counter[str]:
        """How often each event id is stored, over the tables of all served types."""
        found: Counter[str] = Counter()
        for event in self.settings.served():
            found.update(event_id for (event_id,) in self.query(f"SELECT {event.id_column} FROM DB.{event.table}"))
        return found

    def depth(self, queue: str) -> int:
        with self.connection() as connection:
            return connection.channel().queue_declare(queue, passive=True).method.message_count

    def dead(self, event_type: str = "profile_log") -> list[tuple[dict[str, Any], bytes, pika.BasicProperties]]:
        """Headers, body and properties of all dead letters; they are taken out."""
        letters = []
        with self.connection() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(EVENT_TYPES[event_type].dead_queue, auto_ack=True)
                if method is None:
                    return letters
                letters.append((properties.headers, body, properties))

    def assert_each_stored_once(self, seconds: float = 60, dead: Iterable[str] = ()) -> None:
        """The count that every fault test ends in: sent = stored once each + dead, and nothing waits any more."""
        expected = set(self.sent) - set(dead)
        wait_until(lambda: self._rows_of_all_types() >= len(expected), seconds, f"{len(expected)} rows")
        self.wait_until_acknowledged(seconds)
        stored = self.stored()
        twice = {event_id: times for event_id, times in stored.items() if times > 1}
        assert not twice, f"{len(twice)} events are stored more than once"
        assert set(stored) == expected, (
            f"missing {len(expected - set(stored))}, unexpected {len(set(stored) - expected)} of {len(expected)}"
        )

    def wait_until_acknowledged(self, seconds: float) -> None:
        """Returns when no message waits anywhere."""
        wait_until(self._all_acknowledged, seconds, "all messages acknowledged")

    def _rows_of_all_types(self) -> int:
        return sum(self.rows(event.table) for event in self.settings.served())

    def _all_acknowledged(self) -> bool:
        """No message waits in a queue, and no living sinker holds one."""
        try:
            if any(self.depth(event.queue) for event in self.settings.served()):
                return False
        except (AMQPError, OSError):
            return False
        for sinker in self.sinkers:
            if sinker.process.poll() is None:
                waiting = sinker.metric("sinker_buffer_rows") + sinker.metric("sinker_in_flight_rows")
                if waiting or not sinker.ready():
                    return False
        return True

    def close(self) -> None:
        for sinker in self.sinkers:
            if sinker.process.poll() is None:
                sinker.kill()


def create_world(rabbitmq, clickhouse, folder: Path, **changes: object) -> SinkerWorld:
    """A fresh virtual host and database on the given services."""
    name = f"sinker_{uuid.uuid4().hex[:8]}"
    parameters = rabbitmq.parameters()
    login = (parameters.credentials.username, parameters.credentials.password)
    with httpx.Client(base_url=rabbitmq.management_url, auth=login, timeout=20) as management:
        management.put(f"/api/vhosts/{name}").raise_for_status()
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        management.put(f"/api/permissions/{name}/{login[0]}", json=rights).raise_for_status()
    endpoint = clickhouse.endpoint
    settings = Settings(
        **{
            "rabbitmq_host": parameters.host,
            "rabbitmq_port": parameters.port,
            "rabbitmq_user": login[0],
            "rabbitmq_password": login[1],
            "rabbitmq_vhost": name,
            "rabbitmq_heartbeat_seconds": 5,
            "reconnect_max_seconds": 1,
            "clickhouse_host": endpoint.host,
            "clickhouse_http_port": endpoint.http_port,
            "clickhouse_user": endpoint.user,
            "clickhouse_password": endpoint.password,
            "clickhouse_database": name,
            "retry_max_seconds": 1,
            "redelivery_settle_seconds": 0.5,
            "batch_seconds": 0.5,
            "batch_interval_seconds": 0,
            "event_types": ("profile_log",),
        }
        | changes
    )
    with connect(settings) as client:
        schema.apply(client, settings.served(), name)
    world = SinkerWorld(settings, folder)
    world.declare()
    return world


def remove_world(world: SinkerWorld, rabbitmq) -> None:
    world.close()
    parameters = rabbitmq.parameters()
    login = (parameters.credentials.username, parameters.credentials.password)
    httpx.delete(f"{rabbitmq.management_url}/api/vhosts/{world.settings.rabbitmq_vhost}", auth=login, timeout=20)
    with connect(world.settings) as client:
        client.command(f"DROP DATABASE IF EXISTS {world.settings.clickhouse_database}")
