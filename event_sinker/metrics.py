"""Every metric of the sinker: the contract with dashboards and alerts. Nothing else in the room names one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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

CONSUMED = _counter("messages_consumed_total", "Messages delivered by RabbitMQ, repeated deliveries included")
REDELIVERED = _counter("messages_redelivered_total", "Messages that RabbitMQ flagged as delivered before")
ACKNOWLEDGED = _counter("messages_acknowledged_total", "Messages acknowledged: stored, found stored, or dead-lettered")
INSERTED_ROWS = _counter("rows_inserted_total", "Rows that ClickHouse confirmed")
INSERTED_BYTES = _counter("bytes_inserted_total", "Message bytes of the rows that ClickHouse confirmed")
DUPLICATES = _counter("duplicates_dropped_total", "Messages dropped because their event id is stored already")
DEAD = _counter("dead_letters_total", "Messages moved to the dead-letter queue", ["queue", "reason"])
RETRIES = _counter("retries_total", "Attempts that failed and were repeated", ["queue", "target", "code"])
BISECTIONS = _counter("bisections_total", "Blocks that were halved to find a row that ClickHouse refuses")
ABANDONED = _counter("batches_abandoned_total", "Batches given up because their messages went back to RabbitMQ")
FLUSH_SECONDS = _histogram("flush_seconds", "From taking a batch to its last confirmation", _SECONDS)
BATCH_ROWS = _histogram("batch_rows", "Messages per batch", _ROWS)
EVENT_LAG = _histogram("event_lag_seconds", "From event time to stored row, oldest event of each batch", _LAG)
BUFFER_ROWS = _gauge("buffer_rows", "Messages waiting for the next batch")
BUFFER_BYTES = _gauge("buffer_bytes", "Bytes of the messages waiting for the next batch")
BUFFER_AGE = _gauge("buffer_age_seconds", "Age of the oldest waiting message")
IN_FLIGHT_ROWS = _gauge("in_flight_rows", "Messages in the batch being written")
CONNECTED = _gauge("rabbitmq_connected", "1 while subscribed to all queues", [])
RECONNECTS = _counter("rabbitmq_reconnects_total", "Connections to RabbitMQ that were lost or refused", [])


def exists_for(queue: str) -> None:
    """Create the series of a queue at zero, so that rates and alerts work before the first event."""
    for metric in (
        CONSUMED,
        REDELIVERED,
        ACKNOWLEDGED,
        INSERTED_ROWS,
        INSERTED_BYTES,
        DUPLICATES,
        BISECTIONS,
        ABANDONED,
    ):
        metric.labels(queue)
    for gauge in (BUFFER_ROWS, BUFFER_BYTES, BUFFER_AGE, IN_FLIGHT_ROWS):
        gauge.labels(queue).set(0)
