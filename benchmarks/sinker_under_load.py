"""The event sinker while events arrive: inserts per second, time until an event is visible, memory without ClickHouse.

Broker, ClickHouse, sinker and publisher share the machine. Three phases, one after the other, into one queue:

1. average: `--average` events/s, so that the time trigger decides. Time from publishing to the stored row.
2. peak: `--peak` events/s. The same, and inserts per second.
3. outage: ClickHouse is killed for `--outage` seconds while events go on arriving. Memory of the sinker; then
   ClickHouse returns, the backlog drains, and the count is taken.

    python benchmarks/sinker_under_load.py --seconds 60 --outage 300

An event carries the time at which it was published, a row the batch that stored it, and the sinker logs when
ClickHouse confirmed a batch: a row is visible no later than that. Starts its own RabbitMQ and ClickHouse.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import pika
import psutil
from sinker_throughput import EVENT, body, environment_of, settings_of

from devstack.services import ClickHouseService, RabbitmqService
from devstack.settings import StackSettings
from event_sinker import schema, topology
from event_sinker.settings import Settings
from event_sinker.writer import connect

TABLE = EVENT.table


def publish(settings: Settings, rate: float, seconds: float, first: int, result) -> None:
    """Publish at an even rate from a process of its own; `result` gets the number of events and the real rate."""
    properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
    count, started = round(rate * seconds), time.monotonic()
    with pika.BlockingConnection(topology.connection_parameters(settings)) as connection:
        channel = connection.channel()
        for number in range(count):
            ahead = number / rate - (time.monotonic() - started)
            if ahead > 0.002:
                connection.sleep(ahead)
            sent = round(time.time() * 1000)
            channel.basic_publish(
                EVENT.exchange, EVENT.routing_key, body(first + number, published_ms=sent), properties
            )
    result.put((count, count / (time.monotonic() - started)))


class Published:
    """A publisher at work."""

    def __init__(self, settings: Settings, rate: float, seconds: float, first: int) -> None:
        self.result = multiprocessing.Queue()
        arguments = (settings, rate, seconds, first, self.result)
        self.process = multiprocessing.Process(target=publish, args=arguments)
        self.process.start()

    def wait(self) -> tuple[int, float]:
        while self.process.is_alive() and self.result.empty():
            time.sleep(0.2)
        if self.result.empty():
            raise SystemExit("the publisher died, see above; a broker that blocks it is out of memory")
        found = self.result.get()
        self.process.join()
        return found


class Memory(threading.Thread):
    """Resident bytes of a process, every half second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.samples: list[int] = []
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._done.wait(0.5):
            self.samples.append(self._process.memory_info().rss)

    def stop(self) -> list[int]:
        self._done.set()
        self.join()
        return self.samples


def stored(settings: Settings) -> int:
    with connect(settings) as client:
        return client.query(f"SELECT count() FROM {settings.clickhouse_database}.{TABLE}").result_rows[0][0]  # noqa: S608


def wait_for(settings: Settings, count: int) -> None:
    while stored(settings) < count:
        time.sleep(0.3)


def batches(log: Path) -> dict[str, tuple[float, int]]:
    """Batch id -> (epoch seconds of the confirmation, rows)."""
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return {
        entry["batch_id"]: (datetime.fromisoformat(entry["time"]).timestamp(), entry["rows"])
        for entry in entries
        if entry["message"] == "batch stored"
    }


def latencies(settings: Settings, log: Path, first: int, count: int) -> list[float]:
    """Seconds from publishing to the confirmation of the insert, sorted, of the events of one phase."""
    confirmed = batches(log)
    with connect(settings) as client:
        rows = client.query(
            "SELECT ingest_batch_id, JSONExtractInt(metrics, 'published_ms') "  # noqa: S608
            f"FROM {settings.clickhouse_database}.{TABLE} "
            f"WHERE JSONExtractInt(metrics, 'likes') BETWEEN {first} AND {first + count - 1}"
        ).result_rows
    if len(rows) != count:
        raise SystemExit(f"{count} events were published and {len(rows)} are stored")
    return sorted(confirmed[batch][0] - sent / 1000 for batch, sent in rows)


def phase(settings: Settings, log: Path, name: str, rate: float, seconds: float, first: int) -> int:
    before = set(batches(log))
    count, real = Published(settings, rate, seconds, first).wait()
    wait_for(settings, first + count)
    time.sleep(0.5)  # the log line of the last batch
    inserts = len(set(batches(log)) - before)
    waited = latencies(settings, log, first, count)
    p50, p99 = statistics.median(waited), waited[int(0.99 * count)]
    print(
        f"| {name} | {real:,.0f} | {inserts / seconds:.2f} | {count / inserts:,.0f} | {p50:.2f} | {p99:.2f} |"
        f" {waited[-1]:.2f} |",
        flush=True,
    )
    return count


def outage(
    settings: Settings, clickhouse: ClickHouseService, pid: int, rate: float, seconds: float, first: int
) -> None:
    memory = Memory(pid)
    time.sleep(2)
    server = clickhouse.main.process()
    server.kill()
    server.wait(10)
    publisher = Published(settings, rate, seconds, first)
    count, _ = publisher.wait()
    without = memory.stop()
    memory = Memory(pid)
    clickhouse.start()
    clickhouse.wait_ready()
    started = time.monotonic()
    wait_for(settings, first + count)
    drained = time.monotonic() - started
    after = memory.stop()
    third = len(without) // 3
    mib = 1 << 20
    print(
        f"\nClickHouse away for {seconds:.0f} s, {count:,} events meanwhile: "
        f"resident memory {without[0] / mib:.0f} MiB before, at most {max(without[:third]) / mib:.0f}, "
        f"{max(without[third : 2 * third]) / mib:.0f}, {max(without[2 * third :]) / mib:.0f} MiB in the three thirds, "
        f"{max(after) / mib:.0f} MiB while the backlog drained in {drained:.0f} s"
    )
    with connect(settings) as client:
        table = f"{settings.clickhouse_database}.{TABLE}"
        total, distinct = client.query(f"SELECT count(), uniqExact(event_id) FROM {table}").result_rows[0]  # noqa: S608
    print(f"{first + count:,} events published, {total:,} rows, {distinct:,} distinct ids")
    if not total == distinct == first + count:
        raise SystemExit("events were lost or doubled")


def measure(settings: Settings, clickhouse: ClickHouseService, options: argparse.Namespace, folder: Path) -> None:
    log = folder / "sinker.log"
    with log.open("w") as stderr:
        sinker = subprocess.Popen(
            [sys.executable, "-m", "event_sinker", "run"], env=environment_of(settings), stderr=stderr, cwd=ROOT
        )
    try:
        print(f"time trigger {settings.batch_seconds} s\n")
        print("| phase | events/s | inserts/s | rows per insert | p50 s | p99 s | longest s |")
        print("|---|---|---|---|---|---|---|")
        done = phase(settings, log, "average", options.average, options.seconds, 0)
        done += phase(settings, log, "peak", options.peak, options.seconds, done)
        if options.outage:
            outage(settings, clickhouse, sinker.pid, options.during_outage, options.outage, done)
    finally:
        sinker.terminate()
        sinker.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="length of the first two phases (default 60)")
    parser.add_argument("--average", type=float, default=200, help="events/s of the first phase (default 200)")
    parser.add_argument("--peak", type=float, default=10_000, help="events/s of the second phase (default 10000)")
    parser.add_argument("--outage", type=float, default=300, help="seconds without ClickHouse; 0 = none (default 300)")
    parser.add_argument(
        "--during-outage",
        type=float,
        default=1000,
        help="events/s meanwhile (default 1000); the broker keeps them and blocks publishers at 600 MB",
    )
    parser.add_argument("--trigger", type=float, default=5, help="the sinker's time trigger, seconds (default 5)")
    parser.add_argument("--port-base", type=int, default=24_500, help="ports of the servers that are started")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stir-benchmark-") as home:
        stack = StackSettings(home=Path(home), port_base=options.port_base, ports={})
        with RabbitmqService(stack) as rabbitmq, ClickHouseService(stack) as clickhouse:
            settings = settings_of(rabbitmq, clickhouse, batch_seconds=options.trigger)
            with connect(settings) as client:
                schema.apply(client, [EVENT], settings.clickhouse_database)
            with pika.BlockingConnection(topology.connection_parameters(settings)) as connection:
                topology.declare(connection, [EVENT])
            measure(settings, clickhouse, options, Path(home))


if __name__ == "__main__":
    main()
