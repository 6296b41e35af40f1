"""Log lines and histograms, whatever goes into them."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from event_sinker.lag_histogram import LagHistogram
from event_sinker.logs import JsonFormatter

pytestmark = pytest.mark.unit

BOUNDS = (1, 2.5, 60)


@pytest.mark.parametrize(
    "value",
    ["half \ud83d", 1 << 80, float("nan"), {1: b"x"}, object(), "\n\u2028"],
    ids=["half an emoji", "large number", "nan", "no key of JSON", "object", "line ends"],
)
def test_every_value_fits_into_one_line_of_json(value: object) -> None:
    record = logging.LogRecord("event_sinker.test", logging.WARNING, "", 0, "says %s", (value,), None)
    record.detail = value
    line = JsonFormatter().format(record)
    assert len(line.split("\n")) == 1
    line.encode()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"]) == ("WARNING", "event_sinker.test")


def test_a_traceback_is_a_field() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("event_sinker", logging.CRITICAL, "", 0, "bug", (), sys.exc_info())
    assert "ValueError: why" in json.loads(JsonFormatter().format(record))["traceback"]


@given(st.lists(st.tuples(st.floats(0, 100) | st.sampled_from(BOUNDS), st.integers(1, 5)), max_size=20))
def test_many_at_once_count_as_one_by_one(observed: list[tuple[float, int]]) -> None:
    registry, expected = CollectorRegistry(), CollectorRegistry()
    LagHistogram("lag", "text", BOUNDS, registry).observe("q", observed)
    one_by_one = Histogram("lag", "text", ["queue"], buckets=BOUNDS, registry=expected).labels("q")
    for value, times in observed:
        for _ in range(times):
            one_by_one.observe(value)
    for name, labels in (
        *(("lag_bucket", {"queue": "q", "le": bound}) for bound in ("1.0", "2.5", "60.0", "+Inf")),
        ("lag_count", {"queue": "q"}),
        ("lag_sum", {"queue": "q"}),
    ):
        assert registry.get_sample_value(name, labels) == pytest.approx(expected.get_sample_value(name, labels))
