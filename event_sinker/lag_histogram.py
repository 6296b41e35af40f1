"""A histogram that takes many equal observations at once.

Prometheus' own takes them one by one, which for every single event would cost a tenth of the throughput.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class LagHistogram(Collector):
    """Counts by upper bound and by queue. `bounds` are ascending; above the last one counts as well."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def labels(self, queue: str) -> None:
        """Create the series of a queue at zero."""
        with self._lock:
            self._counts.setdefault(queue, [0] * (len(self._bounds) + 1))
            self._sums.setdefault(queue, 0.0)

    def observe(self, queue: str, observed: Iterable[tuple[float, int]]) -> None:
        """Add (value, how often) for each value."""
        self.labels(queue)
        with self._lock:
            counts = self._counts[queue]
            for value, times in observed:
                counts[bisect_left(self._bounds, value)] += times
                self._sums[queue] += value * times

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What a scrape reads."""
        family = HistogramMetricFamily(self._name, self._text, labels=["queue"])
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        with self._lock:
            for queue, counts in self._counts.items():
                up_to = 0
                buckets = []
                for name, count in zip(names, counts, strict=True):
                    up_to += count
                    buckets.append((name, float(up_to)))
                family.add_metric([queue], buckets, self._sums[queue])
        yield family
