"""Every metric of the sinker: the contract with dashboards and alerts. Nothing else in the room names one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from event_sinker.lag_histogram import LagHistogram
from event_sinker.poison import Reason

REGISTRY = CollectorRegistry()
_QUEUE = ["queue"]


def _counter(name: str, text: str, labels: list[str] = _QUEUE) -> Counter:
    return Counter(f"sinker_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, labels: list[str] = _QUEUE) -> Gauge:
    return Gauge(f"sinker_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"sinker_{name}", text, _QUEUE, buckets=buckets, registry=REGISTRY)


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000)
_LAG = (1, 2, 5, 10, 30, 60, 120, 300, 600, 3_600, 21_600, 86_400)

CONSUMED = _counter("messages_consumed_total", "Messages taken for a batch, repeated deliveries included")
REDELIVERED = _counter("messages_redelivered_total", "Messages looked up by id, as RabbitMQ delivered them before")
ACKNOWLEDGED = _counter("messages_acknowledged_total", "Messages acknowledged: stored, found stored, or dead-lettered")
INSERTED_ROWS = _counter("rows_inserted_total", "Rows that ClickHouse confirmed")
STORED_BYTES = _counter("bytes_stored_total", "Message bytes of what is stored, or was already")
DUPLICATES = _counter("duplicates_dropped_total", "Messages dropped because their event id is stored already")
DEAD = _counter("dead_letters_total", "Messages moved to the dead-letter queue", ["queue", "reason"])
RETRIES = _counter("retries_total", "Attempts that failed and were repeated", ["queue", "target", "code"])
BISECTIONS = _counter("bisections_total", "Blocks that were halved to find a row that ClickHouse refuses")
ABANDONED = _counter("batches_abandoned_total", "Batches given up because their messages went back to RabbitMQ")
SUBSCRIPTIONS_LOST = _counter("subscriptions_lost_total", "Times that a channel or its queue went away")
PAUSES = _counter("pauses_total", "Times that a queue was left for a while because the memory limit was reached")
FLUSH_SECONDS = _histogram("flush_seconds", "From taking a batch to its last confirmation", _SECONDS)
BATCH_ROWS = _histogram("batch_rows", "Messages per batch", _ROWS)
EVENT_LAG = LagHistogram("sinker_event_lag_seconds", "From event time to stored row, of every event", _LAG, REGISTRY)
BUFFER_ROWS = _gauge("buffer_rows", "Messages waiting for the next batch")
BUFFER_BYTES = _gauge("buffer_bytes", "Bytes of the messages waiting for the next batch")
BUFFER_AGE = _gauge("buffer_age_seconds", "Age of the oldest waiting message")
IN_FLIGHT_ROWS = _gauge("in_flight_rows", "Messages in the batch being written")
STOPPED = _gauge("stopped", "1 when the queue is no longer served and a person must act; the log says why")
CONNECTED = _gauge("rabbitmq_connected", "1 while there is a connection", [])
RECONNECTS = _counter("rabbitmq_reconnects_total", "Connections to RabbitMQ that were lost or refused", [])


def exists_for(queue: str) -> None:
    """Create the series of a queue at zero, so that rates and alerts work before the first event."""
    for metric in (
        CONSUMED,
        REDELIVERED,
        ACKNOWLEDGED,
        INSERTED_ROWS,
        STORED_BYTES,
        DUPLICATES,
        BISECTIONS,
        ABANDONED,
        SUBSCRIPTIONS_LOST,
        PAUSES,
        FLUSH_SECONDS,
        BATCH_ROWS,
        EVENT_LAG,
    ):
        metric.labels(queue)
    for reason in Reason:
        DEAD.labels(queue, reason.value)
    for gauge in (BUFFER_ROWS, BUFFER_BYTES, BUFFER_AGE, IN_FLIGHT_ROWS, STOPPED):
        gauge.labels(queue).set(0)


def set_waiting(queue: str, consumers: list[tuple[int, int, float, int]]) -> None:
    """Refresh the gauges of a queue: (rows, bytes, age, rows in flight) of each of its consumers."""
    BUFFER_ROWS.labels(queue).set(sum(waiting[0] for waiting in consumers))
    BUFFER_BYTES.labels(queue).set(sum(waiting[1] for waiting in consumers))
    BUFFER_AGE.labels(queue).set(max(waiting[2] for waiting in consumers))
    IN_FLIGHT_ROWS.labels(queue).set(sum(waiting[3] for waiting in consumers))
