"""How fast the event sinker drains a full queue, beside the limit and beside the design that it replaces.

Four programs drain the same backlog of 500-byte events from the same quorum queue, one after the other in each
round, each in a process of its own, with broker, ClickHouse and consumer on the same cores:

- `pika`: the same pika consume loop (same adapter, prefetch and multiple acknowledgement) that throws every message
  away: the limit of any Python consumer on this client library;
- `sinker`: `python -m event_sinker run` with its default settings but for the time trigger, which is 2 seconds;
- `replaced`: prefetch 1, every message acknowledged on its own before it is stored, fixed inserts of 1000 rows;
- `postgres`: one INSERT and one commit per event into an indexed PostgreSQL table, what the log was before.

    python benchmarks/sinker_throughput.py --events 400000 --rounds 3

Two rates each. `whole` counts from the connection to the last event: it holds the start and, for the sinker, the last
batch, which waits for its time trigger when the queue is empty; the shorter the run, the more they weigh. `steady` is
the rate between one tenth and nine tenths of the events, at which a long backlog drains.

Prints events per second (median and spread) and the ratios. Starts its own RabbitMQ, ClickHouse and PostgreSQL and
removes them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pika
import psycopg2

from devstack.services import ClickHouseService, PostgresService, RabbitmqService
from devstack.settings import StackSettings
from event_sinker import schema, topology
from event_sinker.claim import Claim
from event_sinker.events import EVENT_TYPES
from event_sinker.parse import Parser
from event_sinker.settings import Settings
from event_sinker.writer import Writer, connect

EVENT = EVENT_TYPES["post_log"]
BODY_BYTES = 500


def body(number: int, **metrics: int) -> bytes:
    """One post_log event of exactly 500 bytes; `metrics` are added to its own."""
    event = {
        "event_id": str(uuid.uuid4()),
        "source": "graphapi",
        "platform": "INSTAGRAM",
        "profile_id": str(17_841_400_000_000_000 + number % 10_000),
        "handle": f"profile_{number % 10_000}",
        "shortcode": f"C{number:010d}",
        "publish_time": "2026-01-05 08:00:00",
        "event_timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "metrics": {"likes": number, "comments": number % 97, "plays": number * 3, "engagement": 0.0345678, **metrics},
        "dimensions": {"post_type": "reels", "caption": ""},
    }
    event["dimensions"]["caption"] = "x" * (BODY_BYTES - len(json.dumps(event)))
    return json.dumps(event).encode()


# --- the three programs -----------------------------------------------------------------------------------------------


Progress = list[tuple[float, int]]
"""Seconds since the start and events done by then, in order of time; the last one is the end."""


def consume_only(settings: Settings, count: int) -> Progress:
    """Receive and acknowledge `count` messages and do nothing with them."""
    seen = 0
    started = 0.0
    done: Progress = []

    def on_message(channel, method, _properties, _body) -> None:
        nonlocal seen, started
        started = started or time.perf_counter()
        seen += 1
        if seen % 1000 == 0 or seen == count:
            channel.basic_ack(method.delivery_tag, multiple=True)
            done.append((time.perf_counter() - started, seen))
            if seen == count:
                connection.close()

    def on_channel(channel) -> None:
        channel.basic_qos(prefetch_count=settings.prefetch)
        channel.basic_consume(EVENT.queue, on_message)

    connection = pika.SelectConnection(
        topology.connection_parameters(settings),
        on_open_callback=lambda opened: opened.channel(on_open_callback=on_channel),
        on_close_callback=lambda closed, _reason: closed.ioloop.stop(),
    )
    connection.ioloop.start()
    return done


def replaced_design(settings: Settings, count: int) -> Progress:
    """Prefetch 1, acknowledged one by one before the insert, 1000 rows per insert from a buffer in memory."""
    rows: queue.Queue[tuple] = queue.Queue(maxsize=10_000)
    parser = Parser(EVENT)
    writer = Writer(EVENT, settings)

    def sink() -> None:
        done = 0
        while done < count:
            batch = [rows.get() for _ in range(min(1000, count - done))]
            writer.write(uuid.uuid4().hex, batch, Claim())
            done += len(batch)

    sinker = threading.Thread(target=sink)
    sinker.start()
    started = 0.0
    with pika.BlockingConnection(topology.connection_parameters(settings)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        for seen, (method, _properties, message) in enumerate(channel.consume(EVENT.queue), start=1):
            started = started or time.perf_counter()
            rows.put(parser.row(message, int(time.time()), "benchmark"))
            channel.basic_ack(method.delivery_tag)
            if seen == count:
                break
        channel.cancel()
    sinker.join()
    return [(time.perf_counter() - started, count)]


def postgres_rows(settings: Settings, count: int) -> Progress:
    """Every event is a row and a transaction of its own, acknowledged after its commit. Login in PG* variables."""
    started = 0.0
    with (
        contextlib.closing(psycopg2.connect("")) as postgres,
        pika.BlockingConnection(topology.connection_parameters(settings)) as connection,
    ):
        postgres.autocommit = True
        cursor = postgres.cursor()
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1000)
        for seen, (method, _properties, message) in enumerate(channel.consume(EVENT.queue), start=1):
            started = started or time.perf_counter()
            event = json.loads(message)
            values = [json.dumps(value) if isinstance(value, dict) else value for value in event.values()]
            cursor.execute(
                f"INSERT INTO post_log ({', '.join(event)}) VALUES ({', '.join(['%s'] * len(event))})",  # noqa: S608
                values,
            )
            channel.basic_ack(method.delivery_tag)
            if seen == count:
                break
        channel.cancel()
    return [(time.perf_counter() - started, count)]


POSTGRES_TABLE = """
    CREATE TABLE post_log (
        id bigserial PRIMARY KEY, event_id uuid, source text, platform text, profile_id text, handle text,
        shortcode text, publish_time timestamp, event_timestamp timestamp, metrics jsonb, dimensions jsonb
    );
    CREATE INDEX ON post_log (platform, profile_id, shortcode, event_timestamp);
"""
PROGRAMS = {"pika": consume_only, "replaced": replaced_design, "postgres": postgres_rows}


def run_sinker(settings: Settings, count: int, environment: dict[str, str]) -> Progress:
    """From the connection to the last stored batch, one entry per insert, by the sinker's own log."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "event_sinker", "run"],
            env=environment,
            stderr=log,
            cwd=Path(__file__).resolve().parent.parent,
        )
        statement = f"SELECT count() FROM {settings.clickhouse_database}.{EVENT.table}"  # noqa: S608
        with connect(settings) as client:
            while client.query(statement).result_rows[0][0] < count:
                if process.poll() is not None:
                    raise SystemExit(f"the sinker ended with {process.returncode}")
                time.sleep(0.5)
        process.terminate()
        process.wait(30)
        log.seek(0)
        entries = [json.loads(line) for line in log]
    connected = next(entry["time"] for entry in entries if entry["message"] == "connected to RabbitMQ")
    stored = 0
    done: Progress = []
    for entry in entries:
        if entry["message"] == "batch stored":
            stored += entry["rows"]
            since = datetime.fromisoformat(entry["time"]) - datetime.fromisoformat(connected)
            done.append((since.total_seconds(), stored))
    return done


def whole_rate(done: Progress) -> float:
    seconds, events = done[-1]
    return events / seconds


def steady_rate(done: Progress) -> float:
    """Between one tenth and nine tenths of the events; a program with a single entry has only one rate."""
    if len(done) < 3:
        return whole_rate(done)
    events = done[-1][1]
    first, last = (next(entry for entry in done if entry[1] >= events * tenths / 10) for tenths in (1, 9))
    return (last[1] - first[1]) / (last[0] - first[0])


# --- rounds -----------------------------------------------------------------------------------------------------------


def fill(settings: Settings, count: int) -> None:
    """Put `count` persistent events into an empty queue and an empty table."""
    with connect(settings) as client:
        client.command(f"TRUNCATE TABLE {settings.clickhouse_database}.{EVENT.table}")
    parameters = topology.connection_parameters(settings)
    parameters.blocked_connection_timeout = 300  # the broker holds publishers back while it writes out its memory
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_purge(EVENT.queue)
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
        for number in range(count):
            channel.basic_publish(EVENT.exchange, EVENT.routing_key, body(number), properties)
        while channel.queue_declare(EVENT.queue, passive=True).method.message_count < count:
            connection.sleep(0.2)
    time.sleep(2)  # the broker's own work on the backlog is not the consumer's time


def settings_of(rabbitmq: RabbitmqService, clickhouse: ClickHouseService, **changes: object) -> Settings:
    """A sinker of one event type on these servers, otherwise with its defaults but for `changes`."""
    parameters = rabbitmq.parameters()
    endpoint = clickhouse.endpoint
    values = {
        "rabbitmq_host": parameters.host,
        "rabbitmq_port": parameters.port,
        "rabbitmq_user": parameters.credentials.username,
        "rabbitmq_password": parameters.credentials.password,
        "clickhouse_host": endpoint.host,
        "clickhouse_http_port": endpoint.http_port,
        "clickhouse_user": endpoint.user,
        "clickhouse_password": endpoint.password,
        "event_types": (EVENT.name,),
        "batch_seconds": 2,
        "http_port": 0,
    }
    return Settings(**(values | changes))


def environment_of(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(exclude_unset=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SINKER_")}
    for name, value in values.items():
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        environment[f"SINKER_{name.upper()}"] = ",".join(text) if isinstance(text, tuple) else str(text)
    return environment


def child(program: str, count: int, environment: dict[str, str]) -> Progress:
    finished = subprocess.run(
        [sys.executable, __file__, "--program", program, "--events", str(count)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [(seconds, events) for seconds, events in json.loads(finished.stdout)]


def children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(settings: Settings, environment: dict[str, str], count: int, rounds: int) -> None:
    names = ("pika", "sinker", "replaced", "postgres")
    whole: dict[str, list[float]] = {name: [] for name in names}
    steady: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        inserts = 0
        for name in names:
            events = max(2000, count // 40) if name in {"replaced", "postgres"} else count
            fill(settings, events)
            before = children_cpu()
            if name == "sinker":
                done = run_sinker(settings, events, environment)
                inserts = len(done)
            else:
                done = child(name, events, environment)
            whole[name].append(whole_rate(done))
            steady[name].append(steady_rate(done))
            cpu[name].append((children_cpu() - before) / events * 1e6)
        shown = "  ".join(f"{name} {whole[name][-1]:,.0f}/s, steady {steady[name][-1]:,.0f}/s;" for name in names)
        print(f"round {number}: {shown} the sinker made {inserts} inserts of {count / inserts:,.0f} rows", flush=True)
    cores, today = os.cpu_count(), datetime.now(UTC).date()
    print(f"\n{count:,} events of {BODY_BYTES} bytes, {rounds} rounds, {cores} cores, {today}\n")
    print(
        "| program | steady events/s, median | lowest - highest | whole | steady / pika | its own CPU, us per event |"
    )
    print("|---|---|---|---|---|---|")
    for name in names:
        ratio = statistics.median(mine / pika for mine, pika in zip(steady[name], steady["pika"], strict=True))
        rates = f"{statistics.median(steady[name]):,.0f} | {min(steady[name]):,.0f} - {max(steady[name]):,.0f}"
        rates += f" | {statistics.median(whole[name]):,.0f}"
        print(f"| {name} | {rates} | {ratio:.2f} | {statistics.median(cpu[name]):.0f} |")
    for name in ("replaced", "postgres"):
        print(f"\nsinker / {name}: {statistics.median(steady['sinker']) / statistics.median(steady[name]):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=400_000, help="backlog per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port-base", type=int, default=24_000, help="ports of the servers that are started")
    parser.add_argument("--program", choices=list(PROGRAMS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        print(json.dumps(PROGRAMS[options.program](Settings.load(), options.events)))
        return
    with tempfile.TemporaryDirectory(prefix="stir-benchmark-") as home:
        stack = StackSettings(home=Path(home), port_base=options.port_base, ports={})
        Path(home).chmod(0o711)  # PostgreSQL's user must get through
        with (
            RabbitmqService(stack) as rabbitmq,
            ClickHouseService(stack) as clickhouse,
            PostgresService(stack) as postgres,
        ):
            settings = settings_of(rabbitmq, clickhouse)
            with connect(settings) as client:
                schema.apply(client, [EVENT], settings.clickhouse_database)
            with pika.BlockingConnection(topology.connection_parameters(settings)) as connection:
                topology.declare(connection, [EVENT])
            with contextlib.closing(postgres.connection()) as connection, connection.cursor() as cursor:
                cursor.execute(POSTGRES_TABLE)
                connection.commit()
                login = connection.get_dsn_parameters()
            environment = environment_of(settings) | {
                "PGHOST": login["host"],
                "PGPORT": login["port"],
                "PGUSER": login["user"],
                "PGDATABASE": login["dbname"],
                "PGPASSWORD": postgres.secrets.postgres_password,
            }
            measure(settings, environment, options.events, options.rounds)


if __name__ == "__main__":
    main()
