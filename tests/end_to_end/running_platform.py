"""A platform that was started by the user's own command, and what a test looks at and does to it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import httpx
import pika
import psutil
from clickhouse_connect.driver.client import Client
from pika.exceptions import ChannelClosedByBroker
from psycopg2.extensions import connection as Connection

from devstack.airflow_api import AirflowApi
from devstack.clickhouse_endpoint import clickhouse_endpoint
from devstack.environment import environment
from devstack.services import Service, all_services
from devstack.services.base import base_environment
from devstack.settings import AIRFLOW_DATABASE, AIRFLOW_USER, REPOSITORY, SERVING_DATABASE, Secrets, StackSettings
from event_sinker.events import EVENT_TYPES

ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


def wait_until(condition: Callable[[], Any], seconds: float, what: str, pause: float = 0.2) -> Any:
    """The first true value of the condition; fails, saying what was waited for, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)


def profile_event(**changes: object) -> dict[str, object]:
    """A valid profile_log event of now with an id of its own."""
    return {
        "event_id": str(uuid.uuid4()),
        "source": "graphapi",
        "platform": "INSTAGRAM",
        "profile_id": "end-to-end",
        "handle": "end_to_end",
        "event_timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "metrics": {"followers": 1234},
        "dimensions": {"full_name": "End To End"},
    } | changes


class RunningPlatform:
    """The stack of one home folder, driven by its commands, its REST APIs and plain database clients."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.demo: subprocess.CompletedProcess[str] | None = None

    def connect(self) -> None:
        """Read the credentials that the first start generated."""
        self.secrets = Secrets.load_or_create(self.settings)
        self.services: dict[str, Any] = all_services(self.settings, self.secrets)
        self.api = AirflowApi(self.services["airflow-api"].address, AIRFLOW_USER, self.secrets.airflow_password)

    # Commands of a user

    def devstack(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m devstack <arguments>`, with nothing but the folder and the ports of this stack named."""
        own = {"STIR_STACK_HOME": str(self.settings.home), "STIR_STACK_PORT_BASE": str(self.settings.port_base)}
        return self._run([sys.executable, "-m", "devstack", *arguments], os.environ | own)

    def program(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m <module> <arguments>` with the variables that `devstack env` prints."""
        variables = base_environment(self.settings) | environment(self.settings, self.secrets)
        return self._run([sys.executable, "-m", module, *arguments], variables)

    @staticmethod
    def _run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=800,
        )

    def up(self) -> str:
        """`devstack up`; its output."""
        done = self.devstack("up")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def pids(self) -> dict[str, int]:
        """Pid of each service, all of which must be ready."""
        status = self.devstack("status", "--json")
        found = json.loads(status.stdout)["services"]
        assert {service["service"]: service["state"] for service in found if service["state"] != "ready"} == {}
        assert status.returncode == 0
        return {service["service"]: service["pid"] for service in found}

    def kill(self, *names: str) -> None:
        """kill -9 of the main process of each service."""
        processes = [self._service(name).main.process() for name in names]
        for process in processes:
            assert process is not None
            process.kill()
        psutil.wait_procs(processes, timeout=10)

    def _service(self, name: str) -> Service:
        return self.services[name]

    # Data

    def clickhouse(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of one statement; parameters as `{name:Type}`."""
        with closing(self._clickhouse_client()) as client:
            if statement.lstrip().lower().startswith("select"):
                return list(client.query(statement, parameters=parameters).result_rows)
            client.command(statement, parameters=parameters)
            return []

    def _clickhouse_client(self) -> Client:
        endpoint = clickhouse_endpoint(self.settings, self.secrets)
        return clickhouse_connect.get_client(
            host=endpoint.host, port=endpoint.http_port, username=endpoint.user, password=endpoint.password
        )

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of one query by column name."""
        with closing(self._clickhouse_client()) as client:
            return list(client.query(query).named_results())

    def postgres(self, database: str = SERVING_DATABASE) -> Connection:
        """Connection of the platform's user."""
        return self.services["postgres"].connection(database)

    def superuser(self, database: str) -> Connection:
        """Connection with all rights; each statement is its own transaction."""
        connection = self.services["postgres"].superuser_connection(database)
        connection.autocommit = True
        return connection

    def serving(self, statement: str, database: str = SERVING_DATABASE) -> list[tuple[Any, ...]]:
        """Rows of one query on a serving database, as the product would ask."""
        with closing(self.postgres(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def live_table(self) -> dict[str, Any]:
        """Everything by which two generations of `leaderboard` differ: which table it is, its rows, its ledger row."""
        found = self.serving(
            "select 'leaderboard'::regclass::oid::bigint, count(*), sum(hashtextextended(l::text, 0)), "
            "(select max(id) from serving_ledger) from leaderboard l"
        )
        return dict(zip(("oid", "rows", "hash", "generation"), found[0], strict=True))

    def alerts(self) -> list[str]:
        """Text of every message that the webhook has received, oldest first."""
        return [message["payload"]["text"] for message in self.services["slack"].messages()]

    def crm_events(self) -> list[dict[str, Any]]:
        """Every event that the CRM has taken, oldest first."""
        return [kept["event"] for kept in self.services["partners"].crm_events()]

    def beat(self, path: str) -> dict[str, Any]:
        """One of the simulator's views."""
        return httpx.get(f"{self.services['beat'].address}{path}", timeout=10).raise_for_status().json()

    def beat_faults(self, **faults: float) -> None:
        """Make the simulator misbehave so from now on; without any, it behaves again."""
        httpx.post(f"{self.services['beat'].address}/admin/faults", json=faults, timeout=10).raise_for_status()

    def beat_requests(self, after: int) -> list[dict[str, Any]]:
        """All requests with an id above `after`, oldest first."""
        found: list[dict[str, Any]] = []
        while page := self.beat(f"/requests?after={found[-1]['id'] if found else after}&limit=10000")["requests"]:
            found += page
        return found

    def newest_beat_request(self) -> int:
        """Id of the newest request, 0 without any."""
        return max((request["id"] for request in self.beat_requests(0)), default=0)

    def beat_request(self, flow: str, platform: str, params: dict[str, Any]) -> int:
        """Ask Beat for a scrape; the id of the request."""
        body = {"flow": flow, "platform": platform, "params": params}
        address = f"{self.services['beat'].address}/scrape_request_log/flow/{flow}"
        return httpx.post(address, json=body, timeout=10).raise_for_status().json()["scrape_id"]

    @staticmethod
    def http(address: str) -> httpx.Response:
        """Answer of an address as a browser gets it."""
        return httpx.get(address, timeout=10)

    # Messages

    def broker(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(self.services["rabbitmq"].parameters())

    def publish(self, bodies: Iterable[bytes | dict[str, Any]], event_type: str = "profile_log") -> None:
        """Publish as Beat does; returns when RabbitMQ has confirmed all."""
        event = EVENT_TYPES[event_type]
        with self.broker() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for body in bodies:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
                channel.basic_publish(event.exchange, event.routing_key, data, properties, mandatory=True)

    def depth(self, queue: str) -> int:
        """Messages that wait in a queue."""
        with self.broker() as connection:
            return connection.channel().queue_declare(queue, passive=True).method.message_count

    def has_queue(self, queue: str) -> bool:
        """Whether anybody has declared it yet."""
        try:
            self.depth(queue)
        except ChannelClosedByBroker:
            return False
        return True

    def stored(self, event_id: str) -> int:
        """Rows of one profile event."""
        statement = "select count() from _e.profile_log_events where event_id = {id:String}"
        return self.clickhouse(statement, id=event_id)[0][0]

    # Airflow

    @contextmanager
    def run(self, dag_id: str) -> Iterator[str]:
        """A run that has been started, by its id; the DAG is paused again at the end."""
        run_id = self.api.trigger(dag_id)
        self.api.set_paused(dag_id, False)
        try:
            yield run_id
        finally:
            self.api.set_paused(dag_id, True)

    def task_state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        return next(task.state for task in self.api.tasks(dag_id, run_id) if task.task_id == task_id)

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, *states: str, seconds: float = 60) -> str:
        """Wait until a task is in one of the states; fails at once when it ends in another."""

        def reached() -> str | None:
            state = self.task_state(dag_id, run_id, task_id)
            if state in states:
                return state
            assert state not in ENDED, f"{task_id} is {state}:\n{self.api.log(dag_id, run_id, task_id)}"
            return None

        return wait_until(reached, seconds, f"{task_id} of {run_id} is {' or '.join(states)}", pause=0.1)

    def let_the_back_off_pass(self, run_id: str, task_id: str) -> None:
        """Make the failure of a task that waits for its retry half an hour old, so that the retry is due now."""
        with closing(self.superuser(AIRFLOW_DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "update task_instance set end_date = end_date - interval '30 minutes', "
                "start_date = start_date - interval '30 minutes' "
                "where run_id = %s and task_id = %s and state = 'up_for_retry'",
                (run_id, task_id),
            )
            assert cursor.rowcount == 1
