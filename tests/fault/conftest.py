"""A fresh world per test, and proxies into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.broker_control import BrokerControl
from tests.fault.clickhouse_faults import ClickHouseFaults
from tests.fault.sinker_process import SinkerWorld, create_world, remove_world
from tests.fault.tcp_proxy import TcpProxy


@pytest.fixture
def world(rabbitmq_service, clickhouse_service, tmp_path: Path) -> Iterator[SinkerWorld]:
    """A virtual host and a database of this test alone; sinkers that it starts end with it."""
    created = create_world(rabbitmq_service, clickhouse_service, tmp_path)
    yield created
    remove_world(created, rabbitmq_service)


@pytest.fixture
def clickhouse_proxy(world: SinkerWorld) -> Iterator[TcpProxy]:
    """Between the sinker and ClickHouse, for a sinker started with `clickhouse_http_port=clickhouse_proxy.port`."""
    with TcpProxy(world.settings.clickhouse_http_port) as proxy:
        yield proxy


@pytest.fixture
def rabbitmq_proxy(world: SinkerWorld) -> Iterator[TcpProxy]:
    """Between the sinker and RabbitMQ, for a sinker started with `rabbitmq_port=rabbitmq_proxy.port`."""
    with TcpProxy(world.settings.rabbitmq_port) as proxy:
        yield proxy


@pytest.fixture
def clickhouse_faults(world: SinkerWorld) -> Iterator[ClickHouseFaults]:
    """The same, but it understands HTTP and answers INSERTs with errors."""
    with ClickHouseFaults(world.settings.clickhouse_http_port) as faults:
        yield faults


@pytest.fixture
def broker_control(rabbitmq_service) -> BrokerControl:
    """What an operator can do to the broker."""
    return BrokerControl(rabbitmq_service)
