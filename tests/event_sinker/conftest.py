"""The fixtures of the fault tests (a fresh world per test, and proxies into it) and of the tests of `parity`."""

from __future__ import annotations

from tests.event_sinker.dual_write import compare, writes  # noqa: F401 -- pytest finds them here by name
from tests.fault.conftest import clickhouse_faults, clickhouse_proxy, rabbitmq_proxy, world  # noqa: F401 -- pytest finds them here by name
